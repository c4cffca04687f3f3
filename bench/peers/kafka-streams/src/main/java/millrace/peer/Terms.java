package millrace.peer;

import java.util.Arrays;

/**
 * What a coupon was opened with.
 *
 * @param startsAt ms since the epoch, inclusive, or NEVER
 * @param endsAt ms since the epoch, exclusive, or NEVER
 * @param name its JSON: a string or null
 * @param shared its JSON from {@code ,"perUserLimit":} to the last member: the same text in terms and in a coupon
 */
record Terms(long stock, int perUserLimit, long startsAt, long endsAt, byte[] name, byte[] shared) {
    static final long NEVER = Long.MIN_VALUE;

    boolean sameAs(Terms other) {
        return stock == other.stock
            && Arrays.equals(name, other.name)
            && Arrays.equals(shared, other.shared);
    }
}
