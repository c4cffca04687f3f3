import type { Bench } from '../runner/bench.ts'
import { kafkaDrain } from './kafka-drain.ts'
import { kafkaHandover } from './kafka-handover.ts'
import { kafkaLatency } from './kafka-latency.ts'
import { kafkaRecovery } from './kafka-recovery.ts'
import { kafkaRestore } from './kafka-restore.ts'
import { kafkaScale } from './kafka-scale.ts'

export const kafka: Bench = {
  name: 'kafka',
  summary: 'the processor on Apache Kafka beside Kafka Streams on the same broker, in turn',
  variants: [
    ...kafkaDrain,
    ...kafkaLatency,
    ...kafkaRestore,
    ...kafkaRecovery,
    ...kafkaHandover,
    ...kafkaScale,
  ],
}
