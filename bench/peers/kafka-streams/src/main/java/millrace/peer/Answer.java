package millrace.peer;

/** Writes results and statuses byte for byte as Millrace does. */
final class Answer {
    private static final byte[] NONCE = ByteText.ascii(",\"nonce\":\"");
    private static final byte[] OFFSET = ByteText.ascii(",\"offset\":");
    private static final byte[] PARTITION = ByteText.ascii("{\"partition\":");
    private static final byte[] OPEN = ByteText.ascii("\",\"command\":\"open\",\"outcome\":\"");
    private static final byte[] ISSUE = ByteText.ascii("\",\"command\":\"issue\",\"outcome\":\"");
    private static final byte[] USER = ByteText.ascii("\",\"userId\":\"");
    private static final byte[] COUPON = ByteText.ascii("\",\"couponId\":\"");
    private static final byte[] REASON = ByteText.ascii(",\"reason\":\"");
    private static final byte[] SEQUENCE = ByteText.ascii(",\"sequence\":");
    private static final byte[] SLOT = ByteText.ascii(",\"slot\":");
    private static final byte[] SEQUENCES = ByteText.ascii(",\"sequences\":[");
    private static final byte[] DECIDED = ByteText.ascii(",\"decidedAt\":");
    private static final byte[] REMAINING = ByteText.ascii(",\"remaining\":");
    private static final byte[] VERSION = ByteText.ascii(",\"version\":");
    private static final byte[] WHOLE_COUPON = ByteText.ascii(",\"coupon\":");
    private static final byte[] COUPON_ID = ByteText.ascii("{\"couponId\":\"");
    private static final byte[] NAME = ByteText.ascii(",\"name\":");
    private static final byte[] STOCK = ByteText.ascii(",\"stock\":");
    private static final byte[] SWITCHES = ByteText.ascii(",\"paused\":false,\"closed\":false,\"openedAt\":");
    private static final byte[] STATUS_PARTITION = ByteText.ascii(",\"partition\":");

    private final ByteText out = new ByteText();

    /** {@code outcome} is issued, done, unchanged or rejected. */
    Answer begin(Command command, byte[] outcome, int partition, long offset) {
        byte[] value = command.value;
        out.clear().put(PARTITION).decimal(partition).put(OFFSET).decimal(offset);
        out.put(NONCE).put(value, command.nonceFrom, command.nonceTo);
        out.put(command.open ? OPEN : ISSUE).put(outcome);
        out.put(USER).put(value, command.userFrom, command.userTo);
        out.put(COUPON).put(value, command.couponFrom, command.couponTo).put('"');
        return this;
    }

    Answer reason(byte[] reason) {
        out.put(REASON).put(reason).put('"');
        return this;
    }

    Answer piece(long sequence, int slot) {
        out.put(SEQUENCE).decimal(sequence).put(SLOT).decimal(slot);
        return this;
    }

    Answer sequences(byte[] holdings, Holdings reader) {
        out.put(SEQUENCES);
        reader.sequences(holdings, out);
        out.put(']');
        return this;
    }

    /** {@code coupon} is null when it is unknown. */
    byte[] end(long decidedAt, CouponState coupon, Command wholeCouponOf) {
        out.put(DECIDED).decimal(decidedAt);
        if (coupon != null) out.put(REMAINING).decimal(coupon.remaining()).put(VERSION).decimal(coupon.version());
        if (coupon != null && wholeCouponOf != null) {
            out.put(WHOLE_COUPON);
            members(wholeCouponOf, coupon);
            out.put('}');
        }
        return out.put('}').copy();
    }

    byte[] status(Command command, CouponState coupon, int partition, long offset) {
        out.clear();
        members(command, coupon);
        return out.put(STATUS_PARTITION).decimal(partition).put(OFFSET).decimal(offset).put('}').copy();
    }

    private void members(Command command, CouponState coupon) {
        Terms terms = coupon.terms();
        out.put(COUPON_ID).put(command.value, command.couponFrom, command.couponTo).put('"');
        out.put(VERSION).decimal(coupon.version()).put(NAME).put(terms.name()).put(STOCK).decimal(terms.stock());
        out.put(REMAINING).decimal(coupon.remaining()).put(terms.shared());
        out.put(SWITCHES).decimal(coupon.openedAt());
    }
}
