package millrace.peer;

import java.util.concurrent.atomic.AtomicBoolean;

/** The error that nobody expected: thrown once, by the stream thread that has the next record. */
final class Death extends RuntimeException {
    private static final long serialVersionUID = 1;
    private static final AtomicBoolean ORDERED = new AtomicBoolean();

    private Death() {
        super("This stream thread was told to die.");
    }

    static void order() {
        ORDERED.set(true);
    }

    static void comeIfOrdered() {
        if (ORDERED.get() && ORDERED.compareAndSet(true, false)) throw new Death();
    }

    static boolean isCauseOf(Throwable error) {
        for (Throwable each = error; each != null; each = each.getCause()) if (each instanceof Death) return true;
        return false;
    }
}
