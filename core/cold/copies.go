package cold

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"path"
	"sync"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/object"
	"github.com/kalamdb/kalamdb-go/store/segment"
)

// Peers are the other nodes of a cluster. A storage that is a folder is one on each
// node; they are kept alike: more than half of the nodes that have a shard have a file
// before a row points to it, and a node that lacks one gets it from another.
type Peers interface {
	// Own reports whether each node has a storage for itself.
	Own(id ident.StorageID) (bool, error)
	// Others returns the other nodes that have a replica of a shard.
	Others(s ident.ShardID) []ident.NodeID
	// Put returns once another node has a file durably, whole as c says.
	Put(ctx context.Context, to ident.NodeID, c Copy, r io.Reader) error
	// Get returns a file of another node, NOT_FOUND when it has none. The caller
	// closes it.
	Get(ctx context.Context, from ident.NodeID, c Copy) (io.ReadCloser, error)
}

// Copy is a file as it should be on each node.
type Copy struct {
	Storage  ident.StorageID
	Path     string
	Bytes    int64
	Checksum [sha256.Size]byte
}

// Bounds of files that go between nodes. A transfer may take copyTime, and longer by
// its size at copyRate; nodes that are behind are waited for during copyLate once
// there are copies enough.
const (
	maxCopy  = 64 << 30
	copyTime = 30 * time.Second
	copyRate = 1 << 20 // bytes a second
	copyLate = 5 * time.Second
)

func copyOf(e *manifest.Entry) Copy { return Copy{e.Storage, e.Path, e.Bytes, e.Checksum} }

// limit returns how long a transfer may take.
func (c *Copy) limit() time.Duration {
	return copyTime + time.Duration(c.Bytes)*time.Second/copyRate
}

// Check refuses what is no file of the cold tier.
func (c *Copy) Check() error {
	dir, name := path.Split(c.Path)
	_, ok := keyspace.ParseSegmentFile(name)
	most := int64(maxCopy)
	if name == segment.ListingName {
		ok, most = true, segment.MaxListing
	}
	switch {
	case !ok || dir == "":
		return fault.New(fault.InvalidParameter, "%.200q is no file of the cold tier", c.Path)
	case c.Bytes < 0 || c.Bytes > most:
		return fault.New(fault.PayloadTooLarge, "a file of %d bytes is more than the %d that nodes "+
			"send each other", c.Bytes, most)
	}
	return nil
}

// Own reports whether a storage is one of each node's own, in a cluster.
func (t *Tier) Own(id ident.StorageID) (bool, error) {
	if t.Peers == nil {
		return false, nil
	}
	return t.Peers.Own(id)
}

// spread has more than half of the nodes of a shard keep a segment that was written
// here, where each has a folder of its own.
func (t *Tier) spread(ctx context.Context, s ident.ShardID, e *manifest.Entry) error {
	own, err := t.Own(e.Storage)
	if err != nil || !own {
		return err
	}
	others := t.Peers.Others(s)
	need := (len(others) + 1) / 2
	sent, err := t.send(ctx, others, need, copyOf(e))
	if sent < need {
		return fault.New(fault.StorageUnavailable, "the file %s of the cold tier came to %d other "+
			"nodes and has to be on %d (%v); it is tried again; start the nodes that are away",
			e.Path, sent, need, err)
	}
	return nil
}

// send sends a file of this node to others at once, and returns how many have it.
func (t *Tier) send(ctx context.Context, to []ident.NodeID, enough int, c Copy) (
	sent int, err error,
) {
	if len(to) == 0 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.limit())
	defer cancel()
	bucket, err := t.Storages.Bucket(ctx, c.Storage)
	if err != nil {
		return 0, err
	}
	r, err := bucket.Open(ctx, c.Path)
	if err != nil {
		return 0, err
	}
	answers := make(chan error, len(to))
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, node := range to {
		wg.Go(func() {
			answers <- t.Peers.Put(ctx, node, c, io.NewSectionReader(r.At(ctx), 0, c.Bytes))
		})
	}
	for range to {
		if failed := <-answers; failed != nil {
			err = failed
			continue
		}
		if sent++; sent == enough {
			late := time.AfterFunc(copyLate, cancel)
			defer late.Stop()
		}
	}
	return sent, err
}

// Accept stores a file that another node sends, unless it is here.
func (t *Tier) Accept(ctx context.Context, c Copy, r io.Reader) error {
	bucket, err := t.ownBucket(ctx, &c)
	if err != nil {
		return err
	}
	done, err := t.turn(ctx, folder{c.Storage, c.Path})
	if err != nil {
		return err
	}
	defer done()
	whole, err := isWhole(ctx, bucket, &c)
	if err != nil || whole {
		return err
	}
	return keep(ctx, bucket, &c, r)
}

// Lend returns a file of this node for another one.
func (t *Tier) Lend(ctx context.Context, id ident.StorageID, path string) (object.Reader, error) {
	bucket, err := t.ownBucket(ctx, &Copy{Storage: id, Path: path})
	if err != nil {
		return nil, err
	}
	return bucket.Open(ctx, path)
}

func (t *Tier) ownBucket(ctx context.Context, c *Copy) (object.Bucket, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	own, err := t.Own(c.Storage)
	if err == nil && !own {
		err = fault.New(fault.InvalidParameter, "storage %s is not one of each node's own", c.Storage)
	}
	if err != nil {
		return nil, err
	}
	return t.Storages.Bucket(ctx, c.Storage)
}

// keep stores a file, or nothing if it is not what it should be.
func keep(ctx context.Context, bucket object.Bucket, c *Copy, r io.Reader) error {
	return bucket.Put(ctx, c.Path, func(w io.Writer) error {
		sum := sha256.New()
		n, err := io.Copy(io.MultiWriter(w, sum), io.LimitReader(r, c.Bytes+1))
		switch {
		case err != nil:
			return fault.New(fault.StorageUnavailable, "the file %s did not come whole from another "+
				"node: %v", c.Path, err)
		case n != c.Bytes || [sha256.Size]byte(sum.Sum(nil)) != c.Checksum:
			return errOther
		}
		return nil
	})
}

// errOther is that a file has not the bytes that it should have.
var errOther = fault.New(fault.Corruption, "the file is damaged on the other node")

// isWhole reports whether a file is here as it should be.
func isWhole(ctx context.Context, bucket object.Bucket, c *Copy) (bool, error) {
	r, err := bucket.Open(ctx, c.Path)
	switch {
	case fault.Is(err, fault.NotFound):
		return false, nil
	case err != nil:
		return false, err
	case r.Size() != c.Bytes:
		return false, nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(r.At(ctx), 0, c.Bytes)); err != nil {
		return false, err
	}
	return [sha256.Size]byte(sum.Sum(nil)) == c.Checksum, nil
}

// Has reports whether the file of a segment is here and has its size.
func (t *Tier) Has(ctx context.Context, e *manifest.Entry) (bool, error) {
	bucket, err := t.Storages.Bucket(ctx, e.Storage)
	if err != nil {
		return false, err
	}
	r, err := bucket.Open(ctx, e.Path)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil && r.Size() == e.Bytes, err
}

// Restore has the file of a segment be whole here, from another node if it is not.
// ok is false when no other node has it, or the storage is not one of each node's
// own. Those who want the same file wait for one transfer.
func (t *Tier) Restore(ctx context.Context, e *manifest.Entry) (ok bool, err error) {
	own, err := t.Own(e.Storage)
	if err != nil || !own {
		return false, err
	}
	c := copyOf(e)
	bucket, err := t.Storages.Bucket(ctx, c.Storage)
	if err != nil {
		return false, err
	}
	done, err := t.turn(ctx, folder{c.Storage, c.Path})
	if err != nil {
		return false, err
	}
	defer done()
	whole, err := isWhole(ctx, bucket, &c)
	if err != nil || whole {
		return whole, err
	}
	var away error
	for _, node := range t.Peers.Others(ident.SystemShard) { // all that there are
		err := t.fetchCopy(ctx, bucket, node, &c)
		switch {
		case err == nil:
			t.meter.restored.Add(1)
			return true, nil
		case ctx.Err() != nil:
			return false, fault.From(ctx.Err())
		case fault.Is(err, fault.NotFound), errors.Is(err, errOther):
		case fault.Is(err, fault.StorageFull):
			return false, err
		default:
			away = err
		}
	}
	if away != nil {
		return false, fault.New(fault.StorageUnavailable, "the file %s of the cold tier is missing or "+
			"damaged here, and a node that may have it does not answer (%v); start it, and try again",
			e.Path, away)
	}
	return false, nil
}

func (t *Tier) fetchCopy(
	ctx context.Context, bucket object.Bucket, from ident.NodeID, c *Copy,
) error {
	ctx, cancel := context.WithTimeout(ctx, c.limit())
	defer cancel()
	r, err := t.Peers.Get(ctx, from, *c)
	if err != nil {
		return err
	}
	return errors.Join(keep(ctx, bucket, c, r), r.Close())
}

// mends reports whether a segment that could not be read because of damage has come
// from another node, and is to be read again. It sets err to why not, if there is more
// to say.
func (t *Tier) mends(ctx context.Context, v *store.View, p store.Partition, u ident.UserID,
	id ident.SegmentID, err *error,
) bool {
	if t.Peers == nil || !fault.Is(*err, fault.Corruption) {
		return false
	}
	e, found, failed := manifest.Get(v, nil, p, u, id)
	if failed != nil || !found {
		return false
	}
	ok, failed := t.Restore(ctx, &e)
	if failed == nil && !ok {
		failed = t.outdated(p, u, &e)
	}
	if failed != nil {
		*err = failed
		return false
	}
	t.files.remove(fileKey{p.ID, id})
	return ok
}

// outdated is the error of who reads a state in which there was a segment that is no
// more, nil where it still is: another node waits for its own readers only before it
// deletes the file.
func (t *Tier) outdated(p store.Partition, u ident.UserID, e *manifest.Entry) error {
	now := t.DB.View()
	defer now.Release()
	is, found, err := manifest.Get(now, nil, p, u, e.ID)
	if err == nil && (!found || is.State != e.State) {
		err = fault.New(fault.StorageUnavailable, "the file %s of the cold tier was merged into "+
			"another while it was read; run the statement again", e.Path)
	}
	return err
}

// spreadListing sends the listing of a folder to the other nodes. They do without it.
func (t *Tier) spreadListing(ctx context.Context, s ident.ShardID, in folder) error {
	own, err := t.Own(in.storage)
	if err != nil || !own {
		return err
	}
	bucket, err := t.Storages.Bucket(ctx, in.storage)
	if err != nil {
		return err
	}
	c := Copy{Storage: in.storage, Path: path.Join(in.path, segment.ListingName)}
	r, err := bucket.Open(ctx, c.Path)
	if err != nil {
		return err
	}
	sum := sha256.New()
	c.Bytes = r.Size()
	if _, err := io.Copy(sum, io.NewSectionReader(r.At(ctx), 0, c.Bytes)); err != nil {
		return err
	}
	c.Checksum = [sha256.Size]byte(sum.Sum(nil))
	ctx, cancel := context.WithTimeout(ctx, copyLate)
	defer cancel()
	_, err = t.send(ctx, t.Peers.Others(s), 0, c)
	return err
}
