/** A situation, as series that promtool writes down ("a+bxn": a, then b more, n times; a minute apart), and the look at it. */
export interface Situation {
  readonly series: Readonly<Record<string, string>>
  readonly at: string
}

export interface AlertCase {
  readonly alert: string
  readonly severity: 'critical' | 'warning'
  readonly fires: Situation & {
    /** What stands in the description for the value, and the labels beside those of every process. */
    readonly value?: string
    readonly labels?: Readonly<Record<string, string>>
    /** Not those of a process: nothing answered. */
    readonly withoutJob?: boolean
  }
  readonly silent: Situation
}

const SERVICE = 'job="campaign-manager-scim", namespace="scim"'
const of = (metric: string, labels = ''): string =>
  `${metric === 'up' ? '' : 'scim_bridge_'}${metric}{${SERVICE}, instance="a"${labels}}`
/** Another process of the same service, which shows the same. */
const beside = (metric: string): string => `scim_bridge_${metric}{${SERVICE}, instance="b"}`

const expiry = of('credential_expiry_seconds', ', tenant="default", credential="tok1"')
const credential = { tenant: 'default', credential: 'tok1' }
const DAY = 86_400
const drift = of('drift_found_total', ', kind="roles_extra"')
const requests = (route: string, status: number): string =>
  of('http_request_duration_seconds_count', `, method="POST", route="${route}", status="${status}"`)

/** Campaign Manager is away: few of those who wait have been tried, and count as failing. */
const mostUntried = { [of('reconcile_pending')]: '500x60', [of('reconcile_failing')]: '0+4x60' }

export const alertCases: readonly AlertCase[] = [
  {
    alert: 'ScimBridgeRemovalNotConfirmed',
    severity: 'critical',
    fires: {
      series: {
        [of('reconcile_oldest_removal_seconds')]: '0+60x20',
        [beside('reconcile_oldest_removal_seconds')]: '0+60x20',
      },
      at: '7m',
      value: '7m 0s',
    },
    silent: { series: { [of('reconcile_oldest_removal_seconds')]: '0+60x5 0x20' }, at: '7m' },
  },
  {
    alert: 'ScimBridgeDeletionsHeld',
    severity: 'critical',
    fires: { series: { [of('deletions_held')]: '3x10' }, at: '2m', value: '3' },
    silent: { series: { [of('deletions_held')]: '3x3 0x10' }, at: '6m' },
  },
  {
    alert: 'ScimBridgeInactiveUsersWithAccess',
    severity: 'warning',
    fires: { series: { [of('inactive_users_with_access')]: '2x90' }, at: '61m', value: '2' },
    silent: { series: { [of('inactive_users_with_access')]: '2x50 0x40' }, at: '61m' },
  },
  {
    alert: 'ScimBridgeDriftFound',
    severity: 'warning',
    // The counter comes into being with its first finding.
    fires: { series: { [drift]: '_x10 3x20' }, at: '15m', value: '3', labels: { kind: 'roles_extra' } },
    silent: { series: { [drift]: '3x300' }, at: '200m' },
  },
  {
    alert: 'ScimBridgeDriftFound',
    severity: 'warning',
    fires: { series: { [drift]: '5x180 7x60' }, at: '200m', value: '2', labels: { kind: 'roles_extra' } },
    silent: { series: { [drift]: '5x10 7x300' }, at: '200m' },
  },
  {
    alert: 'ScimBridgeBacklogOld',
    severity: 'warning',
    fires: {
      series: {
        [of('reconcile_oldest_pending_seconds')]: '0+60x60',
        [of('reconcile_pending')]: '5x60',
        [of('reconcile_failing')]: '2x60',
      },
      at: '35m',
      value: '35m 0s',
    },
    // All of them wait for somebody, as in a held deletion.
    silent: {
      series: {
        [of('reconcile_oldest_pending_seconds')]: '0+60x60',
        [of('reconcile_pending')]: '5x60',
        [of('reconcile_failing')]: '5x60',
      },
      at: '35m',
    },
  },
  {
    alert: 'ScimBridgeBacklogOld',
    severity: 'warning',
    fires: {
      series: {
        [of('reconcile_oldest_pending_seconds')]: '0+60x60',
        ...mostUntried,
        [of('campaign_manager_circuit_open')]: '0x60',
      },
      at: '35m',
      value: '35m 0s',
    },
    silent: {
      series: {
        [of('reconcile_oldest_pending_seconds')]: '0+60x60',
        ...mostUntried,
        [of('campaign_manager_circuit_open')]: '0x60',
        [beside('campaign_manager_circuit_open')]: '1x60',
      },
      at: '35m',
    },
  },
  {
    alert: 'ScimBridgeReconcileFailing',
    severity: 'warning',
    fires: { series: { [of('reconcile_failing')]: '1x60' }, at: '31m', value: '1' },
    silent: { series: { [of('reconcile_failing')]: '1x20 0 1x60' }, at: '31m' },
  },
  {
    alert: 'ScimBridgeSyncSilent',
    severity: 'critical',
    fires: {
      series: {
        [of('last_campaign_manager_write_timestamp_seconds')]: '0x60',
        [of('reconcile_pending')]: '1x60',
        [of('reconcile_failing')]: '0x60',
      },
      at: '45m',
      value: '45m 0s',
    },
    // One process writes; that another one only answers HTTP does not matter.
    silent: {
      series: {
        [of('last_campaign_manager_write_timestamp_seconds')]: '0x60',
        [beside('last_campaign_manager_write_timestamp_seconds')]: '0+60x60',
        [of('reconcile_pending')]: '1x60',
        [of('reconcile_failing')]: '0x60',
      },
      at: '45m',
    },
  },
  {
    alert: 'ScimBridgeSyncSilent',
    severity: 'critical',
    fires: {
      series: {
        [of('last_campaign_manager_write_timestamp_seconds')]: '0x60',
        ...mostUntried,
        [of('campaign_manager_circuit_open')]: '0x60',
      },
      at: '45m',
      value: '45m 0s',
    },
    silent: {
      series: {
        [of('last_campaign_manager_write_timestamp_seconds')]: '0x60',
        ...mostUntried,
        [of('campaign_manager_circuit_open')]: '1x60',
      },
      at: '45m',
    },
  },
  {
    alert: 'ScimBridgeBreakerOpen',
    severity: 'warning',
    fires: {
      series: {
        [of('campaign_manager_circuit_open')]: '1x10',
        [beside('campaign_manager_circuit_open')]: '0x10',
      },
      at: '6m',
    },
    silent: { series: { [of('campaign_manager_circuit_open')]: '1x3 0 1x10' }, at: '6m' },
  },
  {
    alert: 'ScimBridgeCredentialsRefused',
    severity: 'critical',
    fires: { series: { [of('campaign_manager_credentials_refused')]: '1x10' }, at: '3m' },
    silent: { series: { [of('campaign_manager_credentials_refused')]: '1x1 0x10' }, at: '3m' },
  },
  {
    alert: 'ScimBridgeTenantUnusable',
    severity: 'critical',
    fires: { series: { [of('tenants_unusable')]: '1x10' }, at: '6m', value: '1' },
    silent: { series: { [of('tenants_unusable')]: '1x2 0x10' }, at: '6m' },
  },
  {
    alert: 'ScimBridgeCredentialExpiring',
    severity: 'warning',
    fires: { series: { [expiry]: `${10 * DAY}x5` }, at: '1m', value: '10d 0h 0m 0s', labels: credential },
    silent: { series: { [expiry]: `${31 * DAY}x5` }, at: '1m' },
  },
  {
    alert: 'ScimBridgeCredentialExpiring',
    severity: 'critical',
    fires: { series: { [expiry]: `${DAY}x5` }, at: '1m', value: '1d 0h 0m 0s', labels: credential },
    // Gone: revoked.
    silent: { series: { [expiry]: `${DAY} stale` }, at: '1m' },
  },
  {
    alert: 'ScimBridgeCredentialExpired',
    severity: 'critical',
    fires: { series: { [expiry]: '-60x5' }, at: '1m', labels: credential },
    silent: { series: { [expiry]: '60x5' }, at: '1m' },
  },
  {
    alert: 'ScimBridgeClientsRefused',
    severity: 'warning',
    fires: {
      series: { [of('auth_failures_total', ', reason="unknown"')]: '0+2x40' },
      at: '30m',
      value: '30',
      labels: { reason: 'unknown' },
    },
    silent: { series: { [of('auth_failures_total', ', reason="unknown"')]: '0x15 5x25' }, at: '30m' },
  },
  {
    alert: 'ScimBridgeClientSilent',
    severity: 'warning',
    fires: {
      series: {
        [of('last_scim_write_timestamp_seconds')]: `${-3 * DAY}x5`,
        [of('accounts', ', standing="assigned"')]: '9x5',
      },
      at: '1m',
      value: '3d 0h 1m 0s',
    },
    // Nobody is provisioned yet.
    silent: {
      series: {
        [of('last_scim_write_timestamp_seconds')]: `${-3 * DAY}x5`,
        [of('accounts', ', standing="assigned"')]: '0x5',
      },
      at: '1m',
    },
  },
  {
    alert: 'ScimBridgeClientSilent',
    severity: 'warning',
    // A new process every second day: it shows the last change that any of them took.
    fires: {
      series: {
        [of('last_scim_write_timestamp_seconds')]: '0x2879 stale',
        [beside('last_scim_write_timestamp_seconds')]: '_x2880 0x1600',
        [of('accounts', ', standing="assigned"')]: '9x4400',
      },
      at: '4330m',
      value: '3d 0h 10m 0s',
    },
    silent: {
      series: {
        [of('last_scim_write_timestamp_seconds')]: `0x2000 ${2000 * 60}x878 stale`,
        [beside('last_scim_write_timestamp_seconds')]: `_x2880 ${2000 * 60}x1600`,
        [of('accounts', ', standing="assigned"')]: '9x4400',
      },
      at: '4330m',
    },
  },
  {
    alert: 'ScimBridgeServerErrors',
    severity: 'warning',
    fires: {
      series: {
        [requests('/scim/v2/Users', 201)]: '0+90x60',
        [requests('/scim/v2/Users', 503)]: '0+10x60',
      },
      at: '30m',
      value: '10%',
    },
    // A process that is not ready says so with 503, and what there is not is 501.
    silent: {
      series: {
        [requests('/scim/v2/Users', 201)]: '0+90x60',
        [requests('/readyz', 503)]: '0+90x60',
        [requests('/scim/v2/Me', 501)]: '0+90x60',
      },
      at: '30m',
    },
  },
  {
    alert: 'ScimBridgeServerErrors',
    severity: 'critical',
    fires: {
      series: {
        [requests('/scim/v2/Users', 201)]: '0+50x60',
        [requests('/scim/v2/Groups/:id', 500)]: '0+50x60',
      },
      at: '30m',
      value: '50%',
    },
    silent: {
      series: {
        [requests('/scim/v2/Users', 201)]: '0+98x60',
        [requests('/scim/v2/Groups/:id', 500)]: '0+2x60',
      },
      at: '30m',
    },
  },
  {
    alert: 'ScimBridgeTargetDown',
    severity: 'warning',
    fires: { series: { [of('up')]: '0x10' }, at: '6m', labels: { instance: 'a' } },
    silent: {
      series: { [of('up')]: '0x3 1 0x10', 'up{job="another-service", instance="z"}': '0x20' },
      at: '6m',
    },
  },
  {
    alert: 'ScimBridgeDown',
    severity: 'critical',
    // Another release answers.
    fires: {
      series: {
        [of('up')]: '0x10',
        'up{job="two-campaign-manager-scim", namespace="scim", instance="b"}': '1x10',
        'up{job="campaign-manager-scim", namespace="staging", instance="c"}': '1x10',
      },
      at: '6m',
    },
    silent: {
      series: { [of('up')]: '0x10', [`up{${SERVICE}, instance="b"}`]: '1x10' },
      at: '6m',
    },
  },
  {
    alert: 'ScimBridgeDown',
    severity: 'critical',
    // Nobody says any more where the service is.
    fires: {
      series: { [of('up')]: '1x5 stale', 'up{job="another-service", instance="z"}': '1x20' },
      at: '12m',
      withoutJob: true,
    },
    silent: { series: { [of('up')]: '1x5 stale 1x10' }, at: '12m' },
  },
  {
    alert: 'ScimBridgeDatabaseDown',
    severity: 'critical',
    fires: { series: { [of('database_up')]: '1x2 0x10', [beside('database_up')]: '0x20' }, at: '6m' },
    silent: { series: { [of('database_up')]: '1x2 0x1 1x10', [beside('database_up')]: '0x20' }, at: '6m' },
  },
  {
    alert: 'ScimBridgeDatabaseDown',
    severity: 'warning',
    fires: {
      series: { [of('database_up')]: '0x10', [beside('database_up')]: '1x10' },
      at: '6m',
      value: '1',
    },
    silent: { series: { [of('database_up')]: '0x3 1x10', [beside('database_up')]: '1x20' }, at: '6m' },
  },
]
