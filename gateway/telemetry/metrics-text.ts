/** Metrics as an operations port serves them at `/metrics`. */
export interface MetricsText {
  readonly contentType: string;
  /** All metrics in Prometheus' text format. */
  read(): Promise<string>;
}
