package millrace.peer;

import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/** One put for each record of a topic, and nothing else: to compare plain key-value stores. */
final class Puts extends ContextualProcessor<byte[], byte[], Void, Void> {
    private static final String ENTRIES = "entries";

    static Topology topology(String topic) {
        return new Topology()
            .addSource("puts", new ByteArrayDeserializer(), new ByteArrayDeserializer(), topic)
            .addProcessor("put", Puts::new, "puts")
            .addStateStore(
                Stores.keyValueStoreBuilder(
                    Stores.persistentKeyValueStore(ENTRIES), Serdes.Bytes(), Serdes.ByteArray()),
                "put");
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        KeyValueStore<Bytes, byte[]> entries = context().getStateStore(ENTRIES);
        entries.put(Bytes.wrap(record.key()), record.value());
    }
}
