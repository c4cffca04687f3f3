package millrace.peer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A command of coupon-issue in the layout that Millrace writes, read in place: positions in the record's value, no
 * object a field. Reused record after record. Only {@code open} and {@code issue} without an Idempotency-Key are known.
 */
final class Command {
    private static final byte[] ISSUE = ByteText.ascii("{\"command\":\"issue\",\"couponId\":\"");
    private static final byte[] USER = ByteText.ascii("\",\"userId\":\"");
    private static final byte[] BY = ByteText.ascii("\",\"by\":\"");
    private static final byte[] NONCE = ByteText.ascii("\",\"nonce\":\"");
    private static final byte[] TAIL = ByteText.ascii("\"}");
    private static final int NONCE_LENGTH = 16;
    private static final Pattern OPEN = Pattern.compile(
        "\\{\"command\":\"open\",\"couponId\":\"(?<coupon>[^\"]+)\",\"terms\":(?<terms>\\{\"stock\":(?<stock>\\d+),"
            + "\"name\":(?<name>null|\"(?:[^\"\\\\]|\\\\.)*\")(?<shared>,\"perUserLimit\":(?<limit>\\d+),"
            + "\"startsAt\":(?<starts>null|\\d+),\"endsAt\":(?<ends>null|\\d+),.*)\\}),"
            + "\"by\":\"(?<by>[^\"]+)\",\"nonce\":\"(?<nonce>[0-9a-f]{16})\"\\}");

    private static final boolean[] ID_BYTE = new boolean[256];

    static {
        String alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~:-";
        for (byte each : ByteText.ascii(alphabet)) ID_BYTE[each] = true;
    }

    byte[] value;
    boolean open;
    int couponFrom;
    int couponTo;
    /** Of {@code issue} the user, of {@code open} the operator. */
    int userFrom;
    int userTo;
    int nonceFrom;
    int nonceTo;
    /** Of {@code open}. */
    Terms terms;

    /** Throws IllegalArgumentException on what it does not know. */
    void read(byte[] bytes) {
        value = bytes;
        if (startsWith(bytes, 0, ISSUE)) readIssue();
        else readOpen();
    }

    private void readIssue() {
        open = false;
        terms = null;
        couponFrom = ISSUE.length;
        couponTo = idEnd(couponFrom);
        userFrom = after(couponTo, USER);
        userTo = idEnd(userFrom);
        int byFrom = after(userTo, BY);
        nonceFrom = after(idEnd(byFrom), NONCE);
        nonceTo = nonceFrom + NONCE_LENGTH;
        if (after(nonceTo, TAIL) != value.length) throw unknown();
    }

    private void readOpen() {
        // Latin-1 keeps positions in the text positions in the bytes.
        Matcher match = OPEN.matcher(new String(value, StandardCharsets.ISO_8859_1));
        if (!match.matches()) throw unknown();
        open = true;
        couponFrom = match.start("coupon");
        couponTo = match.end("coupon");
        userFrom = match.start("by");
        userTo = match.end("by");
        nonceFrom = match.start("nonce");
        nonceTo = match.end("nonce");
        terms = new Terms(
            Long.parseLong(match.group("stock")),
            Integer.parseInt(match.group("limit")),
            instant(match.group("starts")),
            instant(match.group("ends")),
            ByteText.ascii(match.group("name")),
            ByteText.ascii(match.group("shared")));
    }

    private static long instant(String text) {
        return text.equals("null") ? Terms.NEVER : Long.parseLong(text);
    }

    private int idEnd(int from) {
        int to = from;
        while (to < value.length && ID_BYTE[value[to] & 0xff]) to++;
        if (to == from || to - from > 128) throw unknown();
        return to;
    }

    private int after(int at, byte[] expected) {
        if (!startsWith(value, at, expected)) throw unknown();
        return at + expected.length;
    }

    private static boolean startsWith(byte[] bytes, int at, byte[] expected) {
        int to = at + expected.length;
        return to <= bytes.length && Arrays.equals(bytes, at, to, expected, 0, expected.length);
    }

    private IllegalArgumentException unknown() {
        return new IllegalArgumentException(
            "The peer knows open and issue as Millrace writes them, not " + new String(value, StandardCharsets.UTF_8));
    }
}
