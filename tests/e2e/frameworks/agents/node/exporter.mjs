// Sends so many spans with the official exporter: node exporter.mjs URL NUMBER. Ends with 1 when a span was given up.
import { diag, DiagLogLevel } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import * as tracing from '@opentelemetry/sdk-trace'

let failed = false
const told = (...words) => { failed = true; console.error(...words) }
diag.setLogger({ error: told, warn: () => {}, info: () => {}, debug: () => {}, verbose: () => {} }, DiagLogLevel.ERROR)

const [url, number] = process.argv.slice(2)
const exporter = new OTLPTraceExporter({ url, timeoutMillis: 60000 })
const processor = new tracing.BatchSpanProcessor({ exporter, exportTimeoutMillis: 90000 })
const provider = new tracing.TracerProvider({ spanProcessors: [processor] })
const tracer = provider.getTracer('agent')
for (let n = 0; n < Number(number); n += 1) tracer.startSpan('chat').end()
await provider.forceFlush()
await provider.shutdown()
process.exit(failed ? 1 : 0)
