package millrace.peer;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.StateRestoreListener;
import org.apache.kafka.streams.state.Stores;

/**
 * {@code Main name=value…}: each pair is a setting of Kafka Streams, over the tuned ones, except {@code peer.topic.issue},
 * {@code peer.topic.result} and {@code peer.topic.status}. With {@code peer.topic.puts} it
 * puts the records of that topic instead. Answers lines on standard input: {@code count}, {@code tasks}, {@code lose-thread},
 * {@code stop}; its end is a stop, too.
 */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) throws IOException {
        Events.say("started");
        Properties settings = tuned();
        for (String pair : arguments) {
            int equals = pair.indexOf('=');
            settings.setProperty(pair.substring(0, equals), pair.substring(equals + 1));
        }
        String puts = settings.getProperty("peer.topic.puts");
        Topology topology = puts != null ? Puts.topology(puts) : topology(
            settings.getProperty("peer.topic.issue", "coupon-issue"),
            settings.getProperty("peer.topic.result", "coupon-result"),
            settings.getProperty("peer.topic.status", "coupon-status"));
        KafkaStreams streams = new KafkaStreams(topology, settings);
        streams.setStateListener((to, from) -> {
            Events.say("state", ",\"state\":\"" + to + "\"");
            // Whoever waits for it should know at once.
            if (to == KafkaStreams.State.ERROR) Runtime.getRuntime().halt(1);
        });
        streams.setGlobalStateRestoreListener(new Restores());
        streams.setUncaughtExceptionHandler(error -> {
            if (Death.isCauseOf(error)) return StreamThreadExceptionResponse.REPLACE_THREAD;
            error.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.start();
        answer(streams);
        streams.close(
            CloseOptions.timeout(Duration.ofSeconds(30))
                .withGroupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP));
        sayCount("stopped");
    }

    private static Properties tuned() {
        Properties settings = new Properties();
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 64L * 1024 * 1024);
        settings.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, TunedRocksDb.class);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 128 * 1024);
        settings.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 5000);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        return settings;
    }

    private static Topology topology(String issue, String result, String status) {
        ByteArrayDeserializer reads = new ByteArrayDeserializer();
        ByteArraySerializer writes = new ByteArraySerializer();
        return new Topology()
            .addSource("coupon-commands", reads, reads, issue)
            .addProcessor("coupon-decision", CouponDecision::new, "coupon-commands")
            .addStateStore(
                Stores.keyValueStoreBuilder(
                        Stores.persistentKeyValueStore(CouponDecision.COUPONS), Serdes.Bytes(), CouponState.SERDE)
                    // A few coupons change with every record: their last state of a commit is enough.
                    .withCachingEnabled(),
                "coupon-decision")
            .addStateStore(
                Stores.keyValueStoreBuilder(
                    Stores.persistentKeyValueStore(CouponDecision.ISSUED_USERS), Serdes.Bytes(), Serdes.ByteArray()),
                "coupon-decision")
            .addSink(CouponDecision.RESULTS, result, writes, writes, "coupon-decision")
            .addSink(CouponDecision.STATUSES, status, writes, writes, "coupon-decision");
    }

    private static void answer(KafkaStreams streams) throws IOException {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null && !line.equals("stop"); line = lines.readLine()) {
            switch (line) {
                case "count" -> sayCount("count");
                case "tasks" -> sayTasks(streams);
                case "lose-thread" -> Death.order();
                default -> {}
            }
        }
    }

    /** What it works on: none while something is restored or moved. */
    private static void sayTasks(KafkaStreams streams) {
        boolean running = streams.state() == KafkaStreams.State.RUNNING;
        String partitions = !running ? "" : streams.metadataForLocalThreads().stream()
            .flatMap(thread -> thread.activeTasks().stream())
            .map(task -> task.taskId().partition())
            .sorted()
            .map(String::valueOf)
            .collect(Collectors.joining(","));
        Events.say("tasks", ",\"partitions\":[" + partitions + "]");
    }

    private static void sayCount(String event) {
        Events.say(event, ",\"processed\":" + CouponDecision.PROCESSED.sum());
    }

    private static final class Restores implements StateRestoreListener {
        @Override
        public void onRestoreStart(TopicPartition partition, String store, long from, long to) {
            Events.say("restore-start", of(partition, store) + ",\"from\":" + from + ",\"to\":" + to);
        }

        @Override
        public void onBatchRestored(TopicPartition partition, String store, long offset, long records) {}

        @Override
        public void onRestoreEnd(TopicPartition partition, String store, long records) {
            Events.say("restore-end", of(partition, store) + ",\"records\":" + records);
        }

        private static String of(TopicPartition partition, String store) {
            return ",\"store\":\"" + store + "\",\"partition\":" + partition.partition();
        }
    }
}
