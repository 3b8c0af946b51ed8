package object

import (
	"context"

	"gocloud.dev/blob/memblob"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Make makes the folder of a filesystem, when it is missing. Of other kinds
// somebody else makes the bucket.
func Make(l Location) error {
	if l.Kind != Filesystem {
		return nil
	}
	_, err := openFolder(l.Dir)
	return err
}

// Open returns the bucket at a location. It asks no service and looks at no folder:
// whether the storage answers is found out by the first call, or by Check.
func Open(ctx context.Context, l Location, c Credentials, opts Options) (Bucket, error) {
	opts = opts.withDefaults()
	switch l.Kind {
	case Filesystem:
		return newFolder(l.Dir), nil
	case S3:
		return openS3(ctx, l, c, opts)
	case GCS:
		return openGCS(ctx, l, c, opts)
	case Azure:
		return openAzure(ctx, l, c, opts)
	}
	return nil, fault.New(fault.InvalidParameter, "unknown type of storage %q", clip(string(l.Kind)))
}

// OpenMemory returns a bucket that is lost with the process.
func OpenMemory() Bucket {
	return &cloud{opts: Options{}.withDefaults(), bucket: memblob.OpenBucket(nil), name: "memory"}
}

func refused(kind Kind, err error) error {
	return fault.Wrap(fault.InvalidParameter, hide(err),
		"the storage of type %s can't be set up; check its uri and credentials", kind)
}
