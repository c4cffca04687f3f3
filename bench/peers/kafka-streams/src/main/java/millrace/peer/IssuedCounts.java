package millrace.peer;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.QueryableStoreTypes;

/**
 * Somebody else's program that reads our results: counts by coupon what {@code coupon-result} says was issued, in the DSL of
 * Kafka Streams, reading committed records only. {@code IssuedCounts TOPIC name=value…}: the pairs are settings of Kafka
 * Streams. Each line on standard input is answered by {@code {"coupon":count,…}}; its end is a stop.
 */
public final class IssuedCounts {
    private static final String COUNTS = "issued-counts";

    private IssuedCounts() {}

    public static void main(String[] arguments) throws IOException {
        Properties settings = new Properties();
        // Makes the consumer read_committed.
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        for (int at = 1; at < arguments.length; at++) {
            int equals = arguments[at].indexOf('=');
            settings.setProperty(arguments[at].substring(0, equals), arguments[at].substring(equals + 1));
        }
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(arguments[0], Consumed.with(Serdes.String(), Serdes.String()))
            .filter((coupon, result) -> result.contains("\"outcome\":\"issued\""))
            .groupByKey(Grouped.with(Serdes.String(), Serdes.String()))
            .count(Materialized.as(COUNTS));
        try (KafkaStreams streams = new KafkaStreams(builder.build(), settings)) {
            streams.setUncaughtExceptionHandler(error -> {
                error.printStackTrace();
                return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
            });
            streams.start();
            BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            while (lines.readLine() != null) System.out.println(countsOf(streams));
            streams.close(Duration.ofSeconds(30));
        }
    }

    /** Coupon ids need no escaping. */
    private static String countsOf(KafkaStreams streams) {
        StringBuilder counts = new StringBuilder("{");
        if (streams.state() == KafkaStreams.State.RUNNING) {
            var store = streams.store(
                StoreQueryParameters.fromNameAndType(COUNTS, QueryableStoreTypes.<String, Long>keyValueStore()));
            try (KeyValueIterator<String, Long> all = store.all()) {
                all.forEachRemaining(count -> {
                    if (counts.length() > 1) counts.append(',');
                    counts.append('"').append(count.key).append("\":").append(count.value);
                });
            }
        }
        return counts.append('}').toString();
    }
}
