package millrace.peer;

import java.util.Map;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.BloomFilter;
import org.rocksdb.Cache;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;

/** One block cache for all stores of the process, larger memtables than the default of 16 MiB, bloom filters. */
public final class TunedRocksDb implements RocksDBConfigSetter {
    private static final long MEBIBYTE = 1024L * 1024;
    private static final Cache BLOCK_CACHE = new LRUCache(256 * MEBIBYTE);
    private static final BloomFilter BLOOM_FILTER = new BloomFilter(10, false);

    @Override
    public void setConfig(String storeName, Options options, Map<String, Object> configs) {
        BlockBasedTableConfig table = (BlockBasedTableConfig) options.tableFormatConfig();
        table.setBlockCache(BLOCK_CACHE);
        table.setFilterPolicy(BLOOM_FILTER);
        options.setTableFormatConfig(table);
        options.setWriteBufferSize(64 * MEBIBYTE);
    }

    /** Cache and filter are for as long as the process. */
    @Override
    public void close(String storeName, Options options) {}
}
