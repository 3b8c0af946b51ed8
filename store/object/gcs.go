package object

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"cloud.google.com/go/storage"
	"gocloud.dev/blob/gcsblob"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

func openGCS(ctx context.Context, l Location, c Credentials, opts Options) (Bucket, error) {
	client, idle := newClient(opts)
	// Tokens are asked for as long as the bucket lives, over the same client.
	life := context.WithValue(context.WithoutCancel(ctx), oauth2.HTTPClient, client)
	switch {
	case c.fields["anonymous"] != "":
	case c.Empty():
		client = authorized(client, &environment{ctx: life})
	default:
		text, err := c.JSON()
		if err != nil {
			return nil, err
		}
		key, err := google.JWTConfigFromJSON([]byte(text), storage.ScopeReadWrite)
		if err != nil {
			return nil, fault.New(fault.InvalidParameter,
				"the credentials of type gcs are no key file of a service account")
		}
		client = authorized(client, key.TokenSource(life))
	}
	options := []option.ClientOption{option.WithHTTPClient(client), storage.WithJSONReads()}
	if l.Endpoint != "" {
		options = append(options, option.WithEndpoint(l.Endpoint+"/storage/v1/"))
	}
	api, err := storage.NewClient(life, options...)
	if err != nil {
		return nil, refused(GCS, err)
	}
	api.SetRetry(storage.WithMaxAttempts(opts.Attempts))
	bucket, err := gcsblob.OpenBucket(ctx, nil, l.Bucket, &gcsblob.Options{Client: api})
	if err != nil {
		return nil, refused(GCS, err)
	}
	return &cloud{
		opts: opts, bucket: bucket, prefix: l.Prefix, name: "gs://" + l.Bucket, idle: idle,
		classify: classifyGCS,
	}, nil
}

func authorized(c *http.Client, tokens oauth2.TokenSource) *http.Client {
	return &http.Client{Transport: &oauth2.Transport{Base: c.Transport,
		Source: oauth2.ReuseTokenSource(nil, tokens)}}
}

// environment finds the credentials of the environment when they are first
// needed, since that may ask the network.
type environment struct {
	ctx   context.Context // as long as the bucket lives
	mu    sync.Mutex
	found oauth2.TokenSource
}

// Token implements oauth2.TokenSource.
func (e *environment) Token() (*oauth2.Token, error) {
	e.mu.Lock()
	found := e.found
	e.mu.Unlock()
	if found == nil {
		var err error
		if found, err = google.DefaultTokenSource(e.ctx, storage.ScopeReadWrite); err != nil {
			return nil, err
		}
		e.mu.Lock()
		e.found = found
		e.mu.Unlock()
	}
	return found.Token()
}

// classifyGCS tells the errors that mean that there is no more room.
func classifyGCS(err error) fault.Code {
	var api *googleapi.Error
	if errors.As(err, &api) {
		for _, item := range api.Errors {
			if item.Reason == "quotaExceeded" || item.Reason == "storageQuotaExceeded" {
				return fault.StorageFull
			}
		}
	}
	return ""
}
