import type { Config } from './config.ts'
import type { Logger } from './log.ts'

export interface Tracing {
  /** Sends what is still to be sent, within a second, and makes no more spans. */
  stop(): Promise<void>
}

/**
 * Starts traces, if the settings ask for them: else nothing of OpenTelemetry is loaded. Spans are made from what the parts
 * announce on `node:diagnostics_channel`, so that no part knows of traces and none is patched. To be called before the parts are built.
 */
export async function startTracing(config: Config, log: Logger): Promise<Tracing | undefined> {
  const url = exportUrl(config)
  if (url === undefined || config.otelSdkDisabled === 'true') return undefined
  const { startSpans } = await import('./tracing-spans.ts')
  log.info({}, 'traces are exported')
  return startSpans(config, url, log)
}

/** OpenTelemetry's protocol exporter specification: the general endpoint is a base, that of a signal is the whole URL. */
const exportUrl = ({
  otelExporterOtlpTracesEndpoint,
  otelExporterOtlpEndpoint,
}: Config): string | undefined =>
  otelExporterOtlpTracesEndpoint ?? (otelExporterOtlpEndpoint && `${otelExporterOtlpEndpoint}/v1/traces`)
