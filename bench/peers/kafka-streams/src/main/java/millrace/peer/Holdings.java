package millrace.peer;

/**
 * The pieces of one user of one coupon: a count, then sequence, slot, topic version, partition and offset as varints and
 * the 16 digits of the nonce as 8 bytes, for each piece. The same as Millrace keeps, so that a piece could be given back.
 */
final class Holdings {
    private static final int TOPIC_VERSION = 1;
    private static final int NONCE_BYTES = 8;

    private byte[] bytes;
    private int position;

    /** How many pieces; null is none. */
    int count(byte[] holdings) {
        if (holdings == null) return 0;
        bytes = holdings;
        position = 0;
        return (int) varint();
    }

    /** The sequences of the pieces, with commas between. */
    void sequences(byte[] holdings, ByteText out) {
        int count = count(holdings);
        for (int piece = 0; piece < count; piece++) {
            if (piece > 0) out.put(',');
            out.decimal(varint());
            for (int skipped = 0; skipped < 4; skipped++) varint();
            position += NONCE_BYTES;
        }
    }

    /** The pieces with one more. */
    byte[] added(byte[] holdings, ByteText out, Command command, long sequence, int partition, long offset) {
        int before = count(holdings);
        out.clear().varint(before + 1L);
        if (before > 0) out.put(holdings, position, holdings.length);
        // Nothing is ever given back here, so the slots taken are 1 to the count.
        out.varint(sequence).varint(before + 1L).varint(TOPIC_VERSION).varint(partition).varint(offset);
        for (int at = command.nonceFrom; at < command.nonceTo; at += 2) {
            out.put(hex(command.value[at]) << 4 | hex(command.value[at + 1]));
        }
        return out.copy();
    }

    private static int hex(byte digit) {
        return digit <= '9' ? digit - '0' : digit - 'a' + 10;
    }

    private long varint() {
        long value = 0;
        for (int shift = 0; ; shift += 7) {
            byte part = bytes[position++];
            value |= (long) (part & 0x7f) << shift;
            if (part >= 0) return value;
        }
    }
}
