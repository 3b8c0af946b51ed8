package engine

import gms "github.com/dolthub/go-mysql-server/sql"

func (e *Engine) guard(m map[string]gms.Function) {}
