package app_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/server/app"
	"github.com/kalamdb/kalamdb-go/server/config"
)

// A server inside of another program: it runs until its context ends.
func ExampleRun() {
	home, err := os.MkdirTemp("", "kalamdb")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(home)
	loaded, err := config.Load(config.Input{
		Home: home, Dir: home,
		Environ: []string{"KALAMDB_SERVER_PORT=0", "KALAMDB_AUTH_ROOT_PASSWORD=root-password"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	err = app.Run(ctx, app.Options{
		Config: loaded,
		Serving: func(addr net.Addr) {
			go func() { // stop ends Run
				defer stop()
				res, err := http.Get("http://" + addr.String() + wire.PathHealth)
				if err != nil {
					fmt.Println(err)
					return
				}
				defer res.Body.Close()
				fmt.Println(res.Status)
				http.DefaultClient.CloseIdleConnections()
			}()
		},
	})
	fmt.Println(err)
	// Output:
	// 200 OK
	// <nil>
}
