package millrace.peer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** A growing byte array: text as ASCII or copied UTF-8, integers as decimal digits or varints. Reused record after record. */
final class ByteText {
    private byte[] bytes = new byte[1024];
    private int length;

    static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    ByteText clear() {
        length = 0;
        return this;
    }

    ByteText put(byte[] source) {
        return put(source, 0, source.length);
    }

    ByteText put(byte[] source, int from, int to) {
        int size = to - from;
        reserve(size);
        System.arraycopy(source, from, bytes, length, size);
        length += size;
        return this;
    }

    ByteText put(int singleByte) {
        reserve(1);
        bytes[length++] = (byte) singleByte;
        return this;
    }

    /** Not negative. */
    ByteText decimal(long value) {
        reserve(20);
        int digits = 1;
        for (long rest = value; rest >= 10; rest /= 10) digits++;
        int at = length + digits;
        long rest = value;
        do {
            bytes[--at] = (byte) ('0' + rest % 10);
            rest /= 10;
        } while (rest > 0);
        length += digits;
        return this;
    }

    /** Unsigned LEB128. */
    ByteText varint(long value) {
        reserve(10);
        long rest = value;
        while (rest >= 0x80) {
            bytes[length++] = (byte) (rest | 0x80);
            rest >>>= 7;
        }
        bytes[length++] = (byte) rest;
        return this;
    }

    byte[] copy() {
        return Arrays.copyOf(bytes, length);
    }

    private void reserve(int more) {
        if (length + more > bytes.length) bytes = Arrays.copyOf(bytes, Math.max(length + more, bytes.length * 2));
    }
}
