// Package rawconn reads and writes sockets without telling Go's scheduler, which
// need not know of a system call that never waits.
//
// It is told of every other one, and wakes a thread of the runtime if the process
// was idle (sysmon, which looks after goroutines that stay in a system call or run
// for too long). That thread then looks around every 20 µs until all is quiet
// again. To a process that is woken for a little work, again and again, as a stage
// of a relay is, that is most of what its wake-ups cost
// (docs/decisions/0019-system-calls-in-private.md).
//
// The price: while the monitoring thread sleeps, nobody makes a goroutine pause
// that runs for long. So who reads here lets others run now and then.
package rawconn
