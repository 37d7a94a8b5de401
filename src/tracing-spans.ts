import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { type Context, DiagLogLevel, diag } from '@opentelemetry/api'
import { parseKeyPairsIntoRecord } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import packageJson from '../package.json' with { type: 'json' }
import type { Config } from './config.ts'
import type { Logger } from './log.ts'
import type { Tracing } from './tracing.ts'
import { traceCalls } from './tracing-calls.ts'
import { traceRequests } from './tracing-requests.ts'
import { traceAttempts, traceQueries } from './tracing-work.ts'

/** What the current span is, for all that is done in its course. */
export type Active = AsyncLocalStorage<Context>

/** The stop of the service itself takes up to 8.5 s, and after 9.5 s the process ends. */
const FLUSH_MS = 700

export function startSpans(config: Config, url: string, log: Logger): Tracing {
  const warn = (message: string) => log.warn({}, `traces: ${message}`)
  diag.setLogger(
    { error: warn, warn, info() {}, debug() {}, verbose() {} },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  )
  const provider = new TracerProvider({
    resource: detectResources({ detectors: [envDetector] }).merge(
      resourceFromAttributes({
        'service.name': config.otelServiceName,
        'service.version': packageJson.version,
      }),
    ),
    sampler: samplerOf(config),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter({
          url,
          headers: parseKeyPairsIntoRecord(config.otelExporterOtlpHeaders),
        }),
      }),
    ],
  })
  const tracer = provider.getTracer(packageJson.name, packageJson.version)
  const active: Active = new AsyncLocalStorage()
  const watches = [traceRequests, traceAttempts, traceQueries, traceCalls].map((watch) =>
    watch(tracer, active),
  )
  return {
    async stop() {
      for (const unwatch of watches) unwatch()
      const flushed = provider
        .shutdown()
        .catch((error) => log.warn({ err: error }, 'the last spans are lost'))
      await Promise.race([flushed, delay(FLUSH_MS, undefined, { ref: false })])
    },
  }
}

function samplerOf({ otelTracesSampler, otelTracesSamplerArg }: Config): Sampler {
  const root = otelTracesSampler.endsWith('always_on')
    ? new AlwaysOnSampler()
    : otelTracesSampler.endsWith('always_off')
      ? new AlwaysOffSampler()
      : new TraceIdRatioBasedSampler(otelTracesSamplerArg)
  return otelTracesSampler.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root
}
