package millrace.peer;

import java.util.Arrays;
import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.state.KeyValueStore;

/** Decides commands with the checks of domain/coupon/rules.ts, in their order. */
final class CouponDecision implements Processor<byte[], byte[], byte[], byte[]> {
    static final String COUPONS = "coupons";
    static final String ISSUED_USERS = "issued-users";
    static final String RESULTS = "coupon-results";
    static final String STATUSES = "coupon-statuses";

    static final LongAdder PROCESSED = new LongAdder();

    private static final byte[] ISSUED = ByteText.ascii("issued");
    private static final byte[] REJECTED = ByteText.ascii("rejected");
    private static final byte[] DONE = ByteText.ascii("done");
    private static final byte[] UNCHANGED = ByteText.ascii("unchanged");
    private static final byte[] COUPON_EXISTS = ByteText.ascii("coupon-exists");
    private static final byte[] UNKNOWN_COUPON = ByteText.ascii("unknown-coupon");
    private static final byte[] ENDED = ByteText.ascii("ended");
    private static final byte[] NOT_STARTED = ByteText.ascii("not-started");
    private static final byte[] LIMIT_REACHED = ByteText.ascii("limit-reached");
    private static final byte[] SOLD_OUT = ByteText.ascii("sold-out");

    private final Command command = new Command();
    private final Answer answer = new Answer();
    private final Holdings holdings = new Holdings();
    private final ByteText scratch = new ByteText();
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<Bytes, CouponState> coupons;
    private KeyValueStore<Bytes, byte[]> issuedUsers;
    private int partition;
    private long offset;
    private long now;

    @Override
    public void init(ProcessorContext<byte[], byte[]> processorContext) {
        context = processorContext;
        coupons = context.getStateStore(COUPONS);
        issuedUsers = context.getStateStore(ISSUED_USERS);
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        Death.comeIfOrdered();
        command.read(record.value());
        byte[] key = record.key();
        if (!Arrays.equals(key, 0, key.length, command.value, command.couponFrom, command.couponTo)) {
            throw new IllegalArgumentException("The key is not the coupon's id.");
        }
        RecordMetadata place = context.recordMetadata().orElseThrow();
        partition = place.partition();
        offset = place.offset();
        now = context.currentStreamTimeMs();
        Bytes couponId = Bytes.wrap(key);
        CouponState coupon = coupons.get(couponId);
        byte[] result = command.open ? open(record, couponId, coupon) : issue(record, couponId, coupon);
        context.forward(record.withValue(result), RESULTS);
        PROCESSED.increment();
        Events.firstDecision();
    }

    private byte[] open(Record<byte[], byte[]> record, Bytes couponId, CouponState coupon) {
        if (coupon == null) {
            CouponState opened = new CouponState(command.terms, 0, 0, now, 1);
            coupons.put(couponId, opened);
            status(record, opened);
            return begin(DONE).end(now, opened, command);
        }
        if (coupon.terms().sameAs(command.terms)) return begin(UNCHANGED).end(now, coupon, command);
        return begin(REJECTED).reason(COUPON_EXISTS).end(now, coupon, command);
    }

    private byte[] issue(Record<byte[], byte[]> record, Bytes couponId, CouponState coupon) {
        if (coupon == null) return rejected(UNKNOWN_COUPON, null);
        Terms terms = coupon.terms();
        if (terms.endsAt() != Terms.NEVER && now >= terms.endsAt()) return rejected(ENDED, coupon);
        if (terms.startsAt() != Terms.NEVER && now < terms.startsAt()) return rejected(NOT_STARTED, coupon);
        Bytes user = userKey();
        byte[] held = issuedUsers.get(user);
        int count = holdings.count(held);
        if (count >= terms.perUserLimit()) {
            return begin(REJECTED).reason(LIMIT_REACHED).sequences(held, holdings).end(now, coupon, null);
        }
        if (coupon.remaining() <= 0) return rejected(SOLD_OUT, coupon);
        CouponState after = coupon.issued();
        issuedUsers.put(user, holdings.added(held, scratch, command, after.sequence(), partition, offset));
        coupons.put(couponId, after);
        if (after.remaining() <= 0) status(record, after);
        return begin(ISSUED).piece(after.sequence(), count + 1).end(now, after, null);
    }

    private Answer begin(byte[] outcome) {
        return answer.begin(command, outcome, partition, offset);
    }

    private byte[] rejected(byte[] reason, CouponState coupon) {
        return begin(REJECTED).reason(reason).end(now, coupon, null);
    }

    private void status(Record<byte[], byte[]> record, CouponState coupon) {
        context.forward(record.withValue(answer.status(command, coupon, partition, offset)), STATUSES);
    }

    /** Coupon and user with a byte between that no id has. */
    private Bytes userKey() {
        scratch.clear().put(command.value, command.couponFrom, command.couponTo).put(0);
        return Bytes.wrap(scratch.put(command.value, command.userFrom, command.userTo).copy());
    }
}
