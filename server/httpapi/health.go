package httpapi

import (
	"net/http"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/server/caller"
	"github.com/kalamdb/kalamdb-go/server/reply"
)

// tellState says how the engine does, and the details to those whom they concern.
func tellState(answer *wire.HealthResponse, parts *Parts, r *http.Request) {
	local := r.Header.Get("Origin") == "" && caller.Local(r)
	if local {
		answer.RootPasswordFile = parts.Accounts.RootPasswordFile()
	}
	if parts.Alarms == nil {
		return
	}
	alarms := parts.Alarms()
	if len(alarms) > 0 && answer.Status == wire.Healthy {
		answer.Status = wire.Degraded
	}
	x := exchange{Parts: parts, r: r}
	if len(alarms) == 0 || !local && x.operator() != nil {
		return
	}
	for _, a := range alarms {
		answer.Alarms = append(answer.Alarms, wire.Alarm{
			Storage: string(a.Storage), Code: string(a.Code), Message: a.Message, Since: a.Since.UTC(),
		})
	}
}

// healthcheck answers 200 as soon as statements are served; wire.PathLive
// answers it as long as the process does. It takes no part in the limit of
// requests in flight.
func (a *API) healthcheck(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		a.fail(w, r, http.StatusMethodNotAllowed, fault.New(fault.Unsupported,
			"%s does not take %.16q; use GET", r.URL.Path, r.Method), reply.NoTook)
		return
	}
	health := *a.health.Load()
	status := http.StatusOK
	parts := a.parts.Load()
	behind := parts != nil && parts.CaughtUp != nil && r.URL.Path == wire.PathReady &&
		!parts.CaughtUp()
	if health == wire.Healthy && behind {
		health = wire.Degraded // and not ready: the system group has no leader, or is ahead
	}
	if health != wire.Healthy && r.URL.Path != wire.PathLive {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	}
	answer := wire.HealthResponse{
		Status: health, Version: a.opts.Version, Revision: a.opts.Revision,
		APIVersion: wire.APIVersion,
	}
	if parts != nil {
		tellState(&answer, parts, r)
	}
	a.sent(r, reply.JSON(w, status, answer, reply.NoTook))
}
