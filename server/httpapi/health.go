package httpapi

import (
	"net/http"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/server/caller"
	"github.com/kalamdb/kalamdb-go/server/reply"
)

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
	if health != wire.Healthy && r.URL.Path != wire.PathLive {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	}
	answer := wire.HealthResponse{
		Status: health, Version: a.opts.Version, Revision: a.opts.Revision,
		APIVersion: wire.APIVersion,
	}
	parts := a.parts.Load()
	if parts != nil && r.Header.Get("Origin") == "" && caller.Local(r) {
		answer.RootPasswordFile = parts.Accounts.RootPasswordFile()
	}
	a.sent(r, reply.JSON(w, status, answer, reply.NoTook))
}
