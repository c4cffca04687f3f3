package millrace.peer;

/** Lines of JSON on standard output, each with its time in ms since the epoch. */
final class Events {
    private static volatile boolean decided;

    private Events() {}

    static void say(String event) {
        say(event, "");
    }

    /** {@code members} begins with a comma, or is empty. */
    static synchronized void say(String event, String members) {
        System.out.println("{\"at\":" + System.currentTimeMillis() + ",\"event\":\"" + event + "\"" + members + "}");
        System.out.flush();
    }

    /** Decided, not yet committed. */
    static void firstDecision() {
        if (decided) return;
        decided = true;
        say("first-decision");
    }
}
