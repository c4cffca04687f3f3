package millrace.peer;

import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;

/** What the store keeps of a coupon. Held, sequence and version change with each issue. */
record CouponState(Terms terms, long held, long sequence, long openedAt, long version) {
    private static final int FIXED_BYTES = 7 * Long.BYTES + 2 * Integer.BYTES;

    static final Serde<CouponState> SERDE = Serdes.serdeFrom(new Writer(), new Reader());

    long remaining() {
        return terms.stock() - held;
    }

    CouponState issued() {
        return new CouponState(terms, held + 1, sequence + 1, openedAt, version + 1);
    }

    private static final class Writer implements Serializer<CouponState> {
        @Override
        public byte[] serialize(String topic, CouponState coupon) {
            if (coupon == null) return null;
            Terms terms = coupon.terms;
            return ByteBuffer.allocate(FIXED_BYTES + terms.name().length + terms.shared().length)
                .putLong(terms.stock())
                .putLong(coupon.held)
                .putLong(coupon.sequence)
                .putLong(coupon.version)
                .putLong(coupon.openedAt)
                .putLong(terms.startsAt())
                .putLong(terms.endsAt())
                .putInt(terms.perUserLimit())
                .putInt(terms.name().length)
                .put(terms.name())
                .put(terms.shared())
                .array();
        }
    }

    private static final class Reader implements Deserializer<CouponState> {
        @Override
        public CouponState deserialize(String topic, byte[] bytes) {
            if (bytes == null) return null;
            ByteBuffer buffer = ByteBuffer.wrap(bytes);
            long stock = buffer.getLong();
            long held = buffer.getLong();
            long sequence = buffer.getLong();
            long version = buffer.getLong();
            long openedAt = buffer.getLong();
            long startsAt = buffer.getLong();
            long endsAt = buffer.getLong();
            int perUserLimit = buffer.getInt();
            byte[] name = new byte[buffer.getInt()];
            buffer.get(name);
            byte[] shared = new byte[buffer.remaining()];
            buffer.get(shared);
            Terms terms = new Terms(stock, perUserLimit, startsAt, endsAt, name, shared);
            return new CouponState(terms, held, sequence, openedAt, version);
        }
    }
}
