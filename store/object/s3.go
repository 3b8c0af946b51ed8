package object

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	"gocloud.dev/blob/s3blob"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// defaultRegion is that of an endpoint of its own, which rarely has one.
const defaultRegion = "us-east-1"

func openS3(ctx context.Context, l Location, c Credentials, opts Options) (Bucket, error) {
	client, idle := newClient(opts)
	load := []func(*config.LoadOptions) error{
		config.WithLogger(logging.Nop{}),
		config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts, o.MaxBackoff = opts.Attempts, 5*time.Second
			})
		}),
	}
	if !c.Empty() {
		load = append(load, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(
			c.fields["access_key_id"], c.fields["secret_access_key"], c.fields["session_token"])))
	}
	if l.Region != "" {
		load = append(load, config.WithRegion(l.Region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, refused(S3, err)
	}
	if cfg.Region == "" {
		cfg.Region = defaultRegion
	}
	sums := aws.RequestChecksumCalculationWhenSupported
	if l.Endpoint != "" { // services of others may not know Amazon's checksums in the body
		sums = aws.RequestChecksumCalculationWhenRequired
	}
	api := s3.NewFromConfig(cfg, func(o *s3.Options) {
		if o.UsePathStyle = l.PathStyle; l.Endpoint != "" {
			o.BaseEndpoint = aws.String(l.Endpoint)
		}
		o.HTTPClient = client // not the configuration's, which builds its own for tokens
		o.RequestChecksumCalculation = sums
		o.DisableLogOutputChecksumValidationSkipped = true
	})
	bucket, err := s3blob.OpenBucket(ctx, api, l.Bucket,
		&s3blob.Options{RequestChecksumCalculation: sums})
	if err != nil {
		return nil, refused(S3, err)
	}
	sweeper := &s3Sweeper{api: api, bucket: l.Bucket, opts: opts}
	return &cloud{
		opts: opts, bucket: bucket, prefix: l.Prefix, name: "s3://" + l.Bucket, idle: idle,
		sweep: sweeper.sweep, classify: classifyS3,
	}, nil
}

// classifyS3 tells the errors by which services say that they are full.
func classifyS3(err error) fault.Code {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	switch api.ErrorCode() {
	case "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage",
		"StorageQuotaExceeded":
		return fault.StorageFull
	}
	text := strings.ToLower(api.ErrorMessage())
	for _, full := range []string{"no space left", "disk full", "quota exceeded",
		"quota has been exceeded"} {
		if strings.Contains(text, full) {
			return fault.StorageFull
		}
	}
	return ""
}

// s3Sweeper aborts uploads in parts that nobody goes on with: their parts cost
// room, and no listing of objects shows them.
type s3Sweeper struct {
	api    *s3.Client
	bucket string
	opts   Options
}

func (s *s3Sweeper) sweep(ctx context.Context, prefix string, before time.Time) (n int, err error) {
	in := &s3.ListMultipartUploadsInput{Bucket: &s.bucket}
	if prefix != "" {
		in.Prefix = &prefix
	}
	for {
		var page *s3.ListMultipartUploadsOutput
		err := within(ctx, s.opts.limit(0), func(ctx context.Context) (err error) {
			page, err = s.api.ListMultipartUploads(ctx, in)
			return err
		})
		if err != nil {
			return n, err
		}
		for _, u := range page.Uploads {
			if u.Initiated == nil || !u.Initiated.Before(before) {
				continue
			}
			if err := s.abort(ctx, u.Key, u.UploadId); err != nil {
				return n, err
			}
			n++
		}
		if !aws.ToBool(page.IsTruncated) || page.NextKeyMarker == nil {
			return n, nil
		}
		in.KeyMarker, in.UploadIdMarker = page.NextKeyMarker, page.NextUploadIdMarker
	}
}

func (s *s3Sweeper) abort(ctx context.Context, key, upload *string) error {
	return within(ctx, s.opts.limit(0), func(ctx context.Context) error {
		_, err := s.api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
			Bucket: &s.bucket, Key: key, UploadId: upload,
		})
		var api smithy.APIError
		if errors.As(err, &api) && api.ErrorCode() == "NoSuchUpload" {
			return nil // it ended meanwhile
		}
		return err
	})
}
