// Says and hears the same with permessage-deflate and without; prints ok, and how many
// bytes came compressed and not.
// usage: node deflate.mjs ws://host:port   (in a folder where nostr-tools and ws are installed)
import { finalizeEvent, generateSecretKey, getPublicKey } from 'nostr-tools/pure'
import WebSocket from 'ws'

const url = process.argv[2]
const fail = why => { console.error('FAIL ' + why); process.exit(1) }
setTimeout(() => fail('out of time'), 60_000)

const open = perMessageDeflate => new Promise((done, broken) => {
  const ws = new WebSocket(url, { perMessageDeflate })
  const heard = [], waiting = []
  ws.on('error', broken)
  ws.on('close', code => fail('closed with ' + code))
  ws.on('message', m => {
    heard.push(JSON.parse(m))
    if (waiting.length) waiting.shift()()
  })
  const next = async () => {
    if (!heard.length) await new Promise(r => waiting.push(r))
    return heard.shift()
  }
  ws.on('open', () => done({ ws, next, say: m => ws.send(JSON.stringify(m)) }))
})

const plain = await open(false)
const packed = await Promise.all([{ threshold: 0 }, { threshold: 0, clientNoContextTakeover: true }, { serverMaxWindowBits: 15 }].map(open))
if (plain.ws.extensions !== '') fail('an extension that nobody offered')
for (const c of packed) if (c.ws.extensions !== 'permessage-deflate') fail('no permessage-deflate: ' + c.ws.extensions)
const small = await open({ serverMaxWindowBits: 9 })
if (small.ws.extensions !== '') fail('a window that is too small was accepted')

const secret = generateSecretKey()
const clients = [plain, ...packed]
for (const c of clients) {
  const [verb] = await c.next()
  if (verb !== 'AUTH') fail('no challenge first')
  c.say(['REQ', 'live', { authors: [getPublicKey(secret)] }])
  const [eose] = await c.next()
  if (eose !== 'EOSE') fail('no EOSE')
}

const sent = [], alphabet = [...'words and "signs" \u2028 🦤 ']
for (const [i, n] of [0, 1, 100, 1000, 10_000, 40_000].entries()) {
  const content = Array.from({ length: n }, (_, k) => alphabet[(k * k + i) % alphabet.length]).join('')
  const e = finalizeEvent({ kind: 1, created_at: 1700000000 + i, tags: [['t', 'deflate']], content }, secret)
  sent.push(e)
  const by = clients[i % clients.length]
  by.say(['EVENT', e])
  for (const c of clients) {
    let event
    for (let left = c === by ? 2 : 1; left > 0; left--) {
      const m = await c.next()
      if (m[0] === 'EVENT') event = m
      else if (m[0] !== 'OK' || m[1] !== e.id || !m[2]) fail('heard ' + JSON.stringify(m))
    }
    if (!event || event[1] !== 'live' || event[2].id !== e.id || event[2].content !== content) fail('a live event differs: ' + i)
  }
}

const bytes = []
for (const c of clients) {
  const before = c.ws._socket.bytesRead
  for (let round = 0; round < 5; round++) {
    c.say(['REQ', 'stored', { ids: sent.map(e => e.id) }])
    const got = []
    for (let m = await c.next(); m[0] !== 'EOSE'; m = await c.next()) {
      if (m[0] !== 'EVENT') fail('heard ' + JSON.stringify(m))
      got.push(m[2])
    }
    if (got.length !== sent.length || !got.every(e => sent.some(s => s.id === e.id && s.content === e.content && s.sig === e.sig))) fail('stored events differ')
  }
  bytes.push(c.ws._socket.bytesRead - before)
}
if (!bytes.slice(1).every(n => n < bytes[0] / 2)) fail('not compressed: ' + bytes)

console.log(bytes.join(' '))
console.log('ok')
process.exit(0)
