// Runs a negentropy session with nostr-tools and prints what it has and needs, as JSON.
// usage: node nostr-tools-nip77.mjs ws://host:port filter file   (in a folder where
// nostr-tools is installed; the file has a line "created_at id" for each event it has)
import { readFileSync } from 'node:fs'
import { Relay, useWebSocketImplementation } from 'nostr-tools/relay'
import { nip77 } from 'nostr-tools'
import WebSocket from 'ws'

useWebSocketImplementation(WebSocket)
const [url, filter, file] = process.argv.slice(2)
const fail = why => { console.error('FAIL ' + why); process.exit(1) }
setTimeout(() => fail('out of time'), 60_000)

const storage = new nip77.NegentropyStorageVector()
for (const line of readFileSync(file, 'utf8').split('\n').filter(line => line)) {
  const [at, id] = line.split(' ')
  storage.insert(Number(at), id)
}
storage.seal()

const have = new Set(), need = new Set()
const relay = await Relay.connect(url)
await new Promise(done => {
  const sync = new nip77.NegentropySync(relay, storage, JSON.parse(filter), {
    onhave: id => have.add(id),
    onneed: id => need.add(id),
    onclose: why => (why ? fail(why) : done()),
  })
  sync.start()
})
const found = JSON.stringify({ have: [...have].sort(), need: [...need].sort() })
process.stdout.write(found, () => process.exit(0))
