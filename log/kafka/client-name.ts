/** How brokers' logs and quotas know us. */
export const clientName = 'millrace'
