package object

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"gocloud.dev/blob/azureblob"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

func openAzure(ctx context.Context, l Location, c Credentials, opts Options) (Bucket, error) {
	client, idle := newClient(opts)
	service, err := azureService(l, c)
	if err != nil {
		return nil, err
	}
	options := &container.ClientOptions{ClientOptions: azcore.ClientOptions{
		Transport: client,
		Retry: policy.RetryOptions{
			MaxRetries: int32(opts.Attempts - 1), RetryDelay: 200 * time.Millisecond,
			MaxRetryDelay: 5 * time.Second,
		},
		PerCallPolicies:  []policy.Policy{firstTry{}},
		PerRetryPolicies: []policy.Policy{&laterTry{opts.Retried}},
		Telemetry:        policy.TelemetryOptions{Disabled: true},
	}}
	var api *container.Client
	address := service + "/" + l.Bucket
	switch {
	case c.fields["account_key"] != "":
		key, bad := container.NewSharedKeyCredential(c.fields["account_name"], c.fields["account_key"])
		if bad != nil { // its text may hold the key
			return nil, fault.New(fault.InvalidParameter, "account_key of the credentials is no base64 text")
		}
		api, err = container.NewClientWithSharedKeyCredential(address, key, options)
	case c.fields["sas_token"] != "":
		address += "?" + strings.TrimPrefix(c.fields["sas_token"], "?")
		api, err = container.NewClientWithNoCredential(address, options)
	default:
		var from azcore.TokenCredential
		if from, err = azidentity.NewDefaultAzureCredential(nil); err == nil {
			api, err = container.NewClient(address, from, options)
		}
	}
	if err != nil {
		return nil, refused(Azure, err)
	}
	bucket, err := azureblob.OpenBucket(ctx, api, nil)
	if err != nil {
		return nil, refused(Azure, err)
	}
	return &cloud{
		opts: opts, bucket: bucket, prefix: l.Prefix, name: "azblob://" + l.Bucket, idle: idle,
		classify: classifyAzure,
	}, nil
}

// azureService returns the address of the account.
func azureService(l Location, c Credentials) (string, error) {
	account := l.Account
	if account == "" {
		account = c.fields["account_name"]
	}
	switch {
	case l.Endpoint != "":
		return l.Endpoint, nil
	case account == "" || !plainWord.MatchString(account):
		return "", fault.New(fault.InvalidParameter,
			"the account is missing; write azblob://container?account=name, or account_name in the credentials")
	}
	return "https://" + account + ".blob.core.windows.net", nil
}

// The library does not say which try of a call a request is: firstTry marks the
// call, laterTry counts.
type firstTry struct{}

type tries struct{ n int }

// Do implements policy.Policy.
func (firstTry) Do(r *policy.Request) (*http.Response, error) {
	r.SetOperationValue(&tries{})
	return r.Next()
}

type laterTry struct{ retried func() }

// Do implements policy.Policy.
func (l *laterTry) Do(r *policy.Request) (*http.Response, error) {
	var t *tries
	if r.OperationValue(&t) {
		if t.n++; t.n > 1 {
			l.retried()
		}
	}
	return r.Next()
}

// classifyAzure tells the errors that mean that there is no more room.
func classifyAzure(err error) fault.Code {
	var api *azcore.ResponseError
	if errors.As(err, &api) && bloberror.Code(api.ErrorCode) == "AccountQuotaExceeded" ||
		api != nil && api.StatusCode == http.StatusInsufficientStorage {
		return fault.StorageFull
	}
	return ""
}
