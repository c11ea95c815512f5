// Publishes, queries and subscribes with nostr-tools; prints one line a finding.
// usage: node nostr-tools.mjs ws://host:port   (in a folder where nostr-tools is installed)
import { Relay } from 'nostr-tools/relay'
import { SimplePool, useWebSocketImplementation as poolSockets } from 'nostr-tools/pool'
import { useWebSocketImplementation } from 'nostr-tools/relay'
import { finalizeEvent, generateSecretKey, getPublicKey, verifyEvent } from 'nostr-tools/pure'
import WebSocket from 'ws'

useWebSocketImplementation(WebSocket)
poolSockets(WebSocket)
const url = process.argv[2]
const fail = why => { console.error('FAIL ' + why); process.exit(1) }
setTimeout(() => fail('out of time'), 30_000)

const secret = generateSecretKey()
const pubkey = getPublicKey(secret)
const relay = await Relay.connect(url)

const live = []
await new Promise(eose => relay.subscribe([{ authors: [pubkey], kinds: [1] }], { onevent: e => live.push(e), oneose: eose }))

const sent = []
for (let i = 0; i < 20; i++) {
  const e = finalizeEvent({ kind: 1, created_at: 1700000000 + i, tags: [['t', 'rhea']], content: `note ${i} "q" \u2028 🦤 \u007f\n` }, secret)
  await relay.publish(e)
  sent.push(e.id)
}
while (live.length < sent.length) await new Promise(r => setTimeout(r, 10))
if (JSON.stringify(live.map(e => e.id)) !== JSON.stringify(sent)) fail('live events differ')
if (!live.every(verifyEvent)) fail('a live event does not verify')

const pool = new SimplePool()
const stored = await pool.querySync([url], { '#t': ['rhea'], authors: [pubkey], limit: 10 })
if (stored.length !== 10 || !stored.every(e => sent.slice(-10).includes(e.id))) fail('stored events differ')

const replaced = [1, 2].map(n => finalizeEvent({ kind: 0, created_at: 1700000000 + n, tags: [], content: `{"name":"${n}"}` }, secret))
for (const e of replaced) await relay.publish(e)
const meta = await pool.querySync([url], { kinds: [0], authors: [pubkey] })
if (meta.length !== 1 || meta[0].id !== replaced[1].id) fail('not just the newest metadata')
let refused = ''
await relay.publish(replaced[0]).catch(e => { refused = String(e.message ?? e) })
if (!refused.includes('replaced:')) fail('an older version was not refused: ' + refused)

console.log('ok')
process.exit(0)
