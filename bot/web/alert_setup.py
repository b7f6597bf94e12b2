"""What a sender must be told: its address, its token, and a piece of configuration that is ready to be pasted."""

from __future__ import annotations

from bot.tokens import Tokens
from bot.web.alerts import SIGNATURE, TIMESTAMP, address, purpose, signing
from config.policy import AlertKind, AlertSource

_ALERTMANAGER = """\
# in alertmanager.yml, with a route that names it, such as
# route: {{receiver: deskbell, group_by: [alertname]}}
receivers:
  - name: deskbell
    webhook_configs:
      - url: {url}
        max_alerts: 100
        http_config:
          authorization:
            credentials: {token}
"""

_PAGERDUTY = """\
# Alertmanager, in alertmanager.yml, with a route that names it, such as
# route: {{receiver: deskbell-events, group_by: [alertname]}}
receivers:
  - name: deskbell-events
    pagerduty_configs:
      - url: {url}
        routing_key: {token}
        severity: '{severity}'

# anything else that speaks the Events API v2: the address above, and the token as its routing (or integration) key
curl {url} -d '{{"routing_key": "{token}", "event_action": "trigger", "dedup_key": "disk-7",
  "payload": {{"summary": "Disk 7 is full", "source": "host-7", "severity": "critical"}}}}'
"""

# Of the severities that people give to alerts, PagerDuty knows these three and `error`.
_SEVERITY = """\
{{ if eq .CommonLabels.severity "critical" "warning" "info" }}{{ .CommonLabels.severity }}{{ else }}error{{ end }}"""

_GRAFANA = """\
# a file for Grafana's folder provisioning/alerting; or choose the same in a contact point of type Webhook
apiVersion: 1
contactPoints:
  - orgId: 1
    name: Deskbell
    receivers:
      - uid: deskbell
        type: webhook
        settings:
          url: {url}
          maxAlerts: "100"
          authorization_scheme: Bearer
          authorization_credentials: {token}
"""

_GRAFANA_SIGNED = """\
          hmacConfig:
            secret: {secret}
            header: {signature}
            timestampHeader: {timestamp}
"""

_GENERIC = """\
curl {url} -H 'Authorization: Bearer {token}' \\
  -d '{{"key": "disk-7", "title": "Disk 7 is full", "severity": "critical"}}'
curl {url} -H 'Authorization: Bearer {token}' \\
  -d '{{"key": "disk-7", "title": "Disk 7 is full", "state": "ok"}}'
"""

_GENERIC_SIGNED = """\
body='{{"key": "disk-7", "title": "Disk 7 is full", "severity": "critical"}}'
now=$(date +%s)
signature=$(printf '%s:%s' "$now" "$body" | openssl dgst -sha256 -hmac {secret} | sed 's/.* //')
curl {url} -H 'Authorization: Bearer {token}' \\
  -H "{timestamp}: $now" -H "{signature}: $signature" -d "$body"
"""


def instructions(source: AlertSource, desk: str, tokens: Tokens) -> str:
    """All that connects a source; `desk` is the address under which the desk is reached."""
    known = {
        "url": f"{desk}{address(source)}",
        "token": tokens.of(purpose(source)),
        "secret": tokens.of(signing(source)),
        "timestamp": TIMESTAMP,
        "signature": SIGNATURE,
        "severity": _SEVERITY,
    }
    told = [f"# address  {known['url']}", f"# token    {known['token']}"]
    told += [f"# secret   {known['secret']}"] if source.signed else []
    return "\n".join([*told, "#", _template(source).format(**known)]).rstrip()


def _template(source: AlertSource) -> str:
    match source.kind:
        case AlertKind.ALERTMANAGER:
            return _ALERTMANAGER
        case AlertKind.PAGERDUTY:
            return _PAGERDUTY
        case AlertKind.GRAFANA:
            return _GRAFANA + (_GRAFANA_SIGNED if source.signed else "")
        case AlertKind.GENERIC:
            return _GENERIC_SIGNED if source.signed else _GENERIC
