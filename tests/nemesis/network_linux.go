package nemesis

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// network is a switch of our own between network namespaces, one for each node and the
// host's. Each has a TUN device whose packets come to this process, which hands them on
// as the link from one to the other is at the moment: whole, cut (one way or both),
// late or lossy. It needs root and ip of iproute2.
type network struct {
	name  string // prefix of devices and namespaces
	net   string // first three numbers of the addresses
	ports []*port
	links map[[2]int]*link
	wg    sync.WaitGroup
}

// hostPort is the number of the host's own device; the nodes have theirs.
const hostPort = 0

// port is a device.
type port struct {
	file *os.File
	id   int
}

// link is one direction between two devices. Packets that find it full are dropped, as
// on any network.
type link struct {
	to    *port
	queue chan packet

	mu    sync.Mutex
	state condition
	rand  *rand.Rand
}

// condition is how a link is.
type condition struct {
	cut   bool
	loss  float64 // part of the packets
	delay time.Duration
}

type packet struct {
	data []byte
	due  time.Time
}

const (
	queueSize = 1024
	mtu       = 1500
)

// newNetwork makes the devices and starts the switch. Close takes all away again.
func newNetwork(nodes int, seed uint64) (*network, error) {
	if os.Getuid() != 0 {
		return nil, errors.New("network namespaces need root")
	}
	w := &network{
		name: fmt.Sprintf("kn%d", os.Getpid()), links: map[[2]int]*link{},
		net: fmt.Sprintf("10.%d.%d", 64+os.Getpid()>>8%128, os.Getpid()%256),
	}
	for id := range nodes + 1 {
		if err := w.addPort(id); err != nil {
			w.close()
			return nil, err
		}
	}
	for _, a := range w.ports {
		for _, b := range w.ports {
			if a == b {
				continue
			}
			l := &link{to: b, queue: make(chan packet, queueSize),
				rand: rand.New(rand.NewPCG(seed, uint64(a.id)<<8|uint64(b.id)))}
			w.links[[2]int{a.id, b.id}] = l
			w.wg.Go(l.run)
		}
	}
	var readers sync.WaitGroup
	for _, p := range w.ports {
		readers.Go(func() { w.read(p) })
	}
	w.wg.Go(func() { // ends with the devices, which close closes
		readers.Wait()
		for _, l := range w.links {
			close(l.queue)
		}
	})
	return w, nil
}

func (w *network) host(id int) string {
	if id == hostPort {
		return w.net + ".254"
	}
	return fmt.Sprintf("%s.%d", w.net, id)
}

func (w *network) space(id int) string { return fmt.Sprintf("%s-%d", w.name, id) }

// inside is what is put before a command to run it in the namespace of a node.
func (w *network) inside(id int) []string { return []string{"ip", "netns", "exec", w.space(id)} }

func (w *network) addPort(id int) error {
	name := w.space(id)
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("open /dev/net/tun: %w", err)
	}
	req, err := unix.NewIfreq(name)
	if err == nil {
		req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("make device %s: %w", name, err), unix.Close(fd))
	}
	w.ports = append(w.ports, &port{os.NewFile(uintptr(fd), name), id})
	in := func(args ...string) []string { return args }
	var lines [][]string
	if id != hostPort {
		lines = append(lines, in("ip", "netns", "add", name),
			in("ip", "link", "set", name, "netns", name))
		in = func(args ...string) []string { return append(w.inside(id), args...) }
		lines = append(lines, in("ip", "link", "set", "lo", "up"))
	}
	lines = append(lines, in("ip", "addr", "add", w.host(id)+"/24", "dev", name),
		in("ip", "link", "set", name, "up", "mtu", fmt.Sprint(mtu)))
	for _, line := range lines {
		if out, err := exec.Command(line[0], line[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%q: %w: %s", line, err, out)
		}
	}
	return nil
}

// read hands on what comes out of a device, until it is closed.
func (w *network) read(p *port) {
	buf := make([]byte, mtu+100)
	for {
		n, err := p.file.Read(buf)
		if err != nil {
			return // closed
		}
		if n < 20 || buf[0]>>4 != 4 {
			continue // of another protocol: there is only IPv4 here
		}
		to := int(buf[19])
		if to == 254 {
			to = hostPort
		}
		if l, ok := w.links[[2]int{p.id, to}]; ok {
			l.put(append([]byte(nil), buf[:n]...))
		}
	}
}

func (l *link) put(data []byte) {
	l.mu.Lock()
	c := l.state
	lost := c.cut || c.loss > 0 && l.rand.Float64() < c.loss
	l.mu.Unlock()
	if lost {
		return
	}
	select {
	case l.queue <- packet{data, time.Now().Add(c.delay)}:
	default: // full: the packet is lost
	}
}

// run writes what has waited long enough, until the queue is closed.
func (l *link) run() {
	for p := range l.queue {
		if d := time.Until(p.due); d > 0 {
			<-time.After(d)
		}
		// An error is of a device that is being taken away.
		_, _ = l.to.file.Write(p.data)
	}
}

// set changes how the link from one device to another is.
func (w *network) set(from, to int, c condition) {
	l := w.links[[2]int{from, to}]
	l.mu.Lock()
	l.state = c
	l.mu.Unlock()
}

// heal makes all links whole.
func (w *network) heal() {
	for at := range w.links {
		w.set(at[0], at[1], condition{})
	}
}

// close takes the devices and namespaces away.
func (w *network) close() error {
	var errs []error
	for _, p := range w.ports {
		errs = append(errs, p.file.Close())
	}
	w.wg.Wait()
	for _, p := range w.ports {
		if p.id == hostPort {
			continue
		}
		if out, err := exec.Command("ip", "netns", "del", w.space(p.id)).CombinedOutput(); err != nil {
			errs = append(errs, fmt.Errorf("delete a namespace: %w: %s", err, out))
		}
	}
	return errors.Join(errs...)
}

// smallDisk puts a file system of its own of so many bytes at dir.
func smallDisk(dir string, bytes int64) error {
	if os.Getuid() != 0 {
		return errors.New("a small disk needs root")
	}
	return unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes))
}

// dropDisk takes it away.
func dropDisk(dir string) error { return unix.Unmount(dir, unix.MNT_DETACH) }
