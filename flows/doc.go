// Package flows will run work that follows data: durable triggers, schedules
// and the system's own maintenance, on top of core.
//
// It holds nothing yet. The module is here so that its place in the order of
// dependencies is fixed and checked: it may import core and what core imports,
// and only server and tests may import it. What it will offer is described in
// docs/roadmap.md.
package flows
