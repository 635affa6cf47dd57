// Every way in which a server could lead the gateway to an address that ingest.allow does not list, or to a file: by
// a name, a redirect, a playlist, a key, a description. Only 127.0.0.1 is listed; what listens on 127.0.0.2 is the
// place that must never see a connection.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';

import { WebServer } from './lib/foreign.mjs';
import { Gateway, sleep } from './lib/gateway.mjs';

let gateway, web, second, trap, udpTrap;
const touched = [];
const handlers = {};

const listen = (server, host) =>
  new Promise((done, reject) => server.once('error', reject).listen(0, host, () => done(server.address().port)));

before(async () => {
  trap = createServer((socket) => {
    touched.push('tcp');
    socket.on('error', () => {}).destroy();
  });
  trap.port = await listen(trap, '127.0.0.2');
  udpTrap = createSocket('udp4');
  udpTrap.on('message', () => touched.push('udp'));
  udpTrap.port = await new Promise((done) => udpTrap.bind(0, '127.0.0.2', () => done(udpTrap.address().port)));
  web = await WebServer.start(undefined, handlers);
  second = await WebServer.start(undefined, handlers);
  for (const name of ['http_proxy', 'HTTP_PROXY', 'ALL_PROXY']) process.env[name] = `http://127.0.0.2:${trap.port}`;
  gateway = await Gateway.start({ set: { 'ingest.allow': '127.0.0.1/32', 'ingest.try_ms': 6000 } });
});

after(async () => {
  await gateway?.stop();
  await web?.stop();
  await second?.stop();
  trap?.close();
  udpTrap?.close();
});

/** Tries a stream that must fail with `reason` and touch nothing. */
async function refused(url, reason, more = {}) {
  const answer = await gateway.post('/api/v1/cameras/test', { url, ...more });
  assert.equal(answer.status, 200, `${url}: ${answer.text}`);
  assert.equal(answer.json.ok, false, url);
  assert.match(answer.json.reason, reason, url);
  await sleep(50);
  assert.deepEqual(touched, [], `${url}: what is not allowed was connected to`);
  return answer.json;
}

const text = (body, type = 'application/vnd.apple.mpegurl') => (request, response) =>
  response.writeHead(200, { 'content-type': type }).end(body);
const redirect = (to) => (request, response) => response.writeHead(302, { location: to }).end('moved');

const notListed = /ingest\.allow/;
const notTaken = /only http/;

test('the trap works', async () => {
  await fetch(`http://127.0.0.2:${trap.port}/`).catch(() => {});
  assert.deepEqual(touched.splice(0), ['tcp']);
});

test('a name is held to the list by what it resolves to', { timeout: 60_000 }, async () => {
  // 127.2 is no address in numbers to us, and 127.0.0.2 to the resolver.
  for (const scheme of ['http', 'rtmp', 'rtsp', 'srt']) {
    await refused(`${scheme}://127.2:${trap.port}${scheme === 'srt' ? '' : '/live/x'}`, notListed, { engine: 'ffmpeg' });
  }
  await refused(`srt://127.2:${udpTrap.port}`, notListed);
  await refused(`rtmp://2130706434:${trap.port}/live/x`, notListed);
  const numeric = await gateway.post('/api/v1/cameras/test', { url: `http://127.0.0.2:${trap.port}/` });
  assert.equal(numeric.status, 422);
});

test('an HTTP redirect leads nowhere else', { timeout: 60_000 }, async () => {
  for (const [to, reason] of [
    [`http://127.0.0.2:${trap.port}/x`, notListed],
    [`http://127.2:${trap.port}/x`, notListed],
    [`//127.0.0.2:${trap.port}/x`, notListed],
    ['file:///etc/passwd', notTaken],
    ['gopher://127.0.0.1/x', notTaken],
    [`${'/a'}`, /circle/],
  ]) {
    handlers['/a'] = redirect(to);
    await refused(`${web.url}/a`, reason);
  }
});

test('a password goes to its own server only', { timeout: 60_000 }, async () => {
  handlers['/moved'] = (request, response) =>
    request.headers.authorization
      ? response.writeHead(302, { location: `${second.url}/there` }).end()
      : response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
  handlers['/there'] = (request, response) => response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
  second.asked.length = 0;
  await refused(`${web.url}/moved`, /user name/, { username: 'viewer', password: 'Pa55-hidden' });
  assert.ok(second.asked.length >= 1);
  assert.ok(second.asked.every(({ headers }) => !headers.authorization));
  assert.ok(!gateway.log.includes('Pa55'));
});

test('a playlist leads nowhere else, and to no file', { timeout: 90_000 }, async () => {
  const media = (line, before = '') =>
    text(`#EXTM3U\n#EXT-X-TARGETDURATION:2\n${before}#EXTINF:2,\n${line}\n#EXT-X-ENDLIST\n`);
  const forbidden = `http://127.0.0.2:${trap.port}/x.ts`;
  for (const [line, ahead] of [
    [forbidden],
    [`http://127.2:${trap.port}/x.ts`],
    ['/moved.ts'],
    ['file:///etc/passwd'],
    ['/etc/passwd.ts'],
    ['concat:file:///etc/passwd|file:///etc/hosts'],
    ['subfile,,start,0,end,100,,:/etc/passwd'],
    ['data:video/mp2t;base64,R0BAQA=='],
    [`tcp://127.0.0.2:${trap.port}`],
    [`rtmp://127.0.0.2:${trap.port}/a/b`],
    ['/seg.ts', `#EXT-X-KEY:METHOD=AES-128,URI="http://127.0.0.2:${trap.port}/key"\n`],
    ['/seg.ts', '#EXT-X-KEY:METHOD=AES-128,URI="file:///etc/passwd"\n'],
    ['/seg.m4s', `#EXT-X-MAP:URI="${forbidden}"\n`],
    ['/seg.m4s', '#EXT-X-MAP:URI="file:///etc/passwd"\n'],
  ]) {
    handlers['/moved.ts'] = redirect(forbidden);
    handlers['/list.m3u8'] = media(line, ahead);
    await refused(`${web.url}/list.m3u8`, /./);
  }
  for (const nested of [`http://127.0.0.2:${trap.port}/n.m3u8`, 'file:///etc/passwd', `tcp://127.0.0.2:${trap.port}`]) {
    handlers['/list.m3u8'] = text(`#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\n${nested}\n`);
    await refused(`${web.url}/list.m3u8`, /./);
  }
});

test('what is no stream is not read as another kind of list', { timeout: 60_000 }, async () => {
  const bodies = {
    concat: `ffconcat version 1.0\nfile http://127.0.0.2:${trap.port}/x\nfile /etc/passwd\n`,
    sdp: `v=0\r\no=- 0 0 IN IP4 127.0.0.2\r\ns=x\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=video ${udpTrap.port} RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n`,
    dash: `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>http://127.0.0.2:${trap.port}/</BaseURL></Period></MPD>`,
    page: '<!doctype html><title>A camera</title>',
    nothing: '',
  };
  for (const [name, body] of Object.entries(bodies)) {
    handlers[`/${name}`] = text(body, 'application/octet-stream');
    await refused(`${web.url}/${name}`, /no video stream that can be read|closed|ended/);
  }
});

test('what never ends is cut off', { timeout: 60_000 }, async () => {
  const line = '#EXTINF:1,\nhttp://127.0.0.1:1/x.ts\n'.repeat(500);
  handlers['/endless.m3u8'] = (request, response) => {
    response.writeHead(200).write('#EXTM3U\n#EXT-X-TARGETDURATION:1\n');
    const more = () => {
      while (!response.destroyed && response.write(line));
    };
    response.on('drain', more).on('error', () => {});
    more();
  };
  const { took_ms } = await refused(`${web.url}/endless.m3u8`, /more than any playlist/);
  assert.ok(took_ms < 5000, `${took_ms} ms`);
  handlers['/silent'] = () => {};
  const silent = await refused(`${web.url}/silent`, /in time/);
  assert.ok(silent.took_ms < 8000);
});

test('an RTSP server leads libavformat nowhere else', { timeout: 60_000 }, async () => {
  const asked = [];
  let answers;
  const server = createServer((socket) => {
    let text = '';
    socket.setEncoding('utf8').on('error', () => {});
    socket.on('data', (piece) => {
      text += piece;
      for (let end; (end = text.indexOf('\r\n\r\n')) >= 0; text = text.slice(end + 4)) {
        const request = text.slice(0, end);
        const method = request.split(' ')[0];
        asked.push(method);
        const cseq = /CSeq: (\d+)/i.exec(request)?.[1];
        const [status, headers = '', body = ''] = answers(method);
        socket.write(`RTSP/1.0 ${status}\r\nCSeq: ${cseq}\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`);
      }
    });
  });
  const url = `rtsp://127.0.0.1:${await listen(server, '127.0.0.1')}/x`;
  for (const at of ['OPTIONS', 'DESCRIBE']) {
    for (const to of [`rtsp://127.0.0.2:${trap.port}/y`, url]) {
      asked.length = 0;
      answers = (method) =>
        method === at ? ['302 Moved', `Location: ${to}\r\n`] : ['200 OK', 'Public: OPTIONS, DESCRIBE\r\n'];
      await refused(url, /redirects|no video stream/, { engine: 'ffmpeg' });
      assert.ok(asked.length <= 2, `asked again: ${asked}`);
    }
  }
  // A description and a transport that name another place for the packets.
  const sdp = `v=0\r\no=- 0 0 IN IP4 127.0.0.2\r\ns=x\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=video ${udpTrap.port} RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:rtsp://127.0.0.2:${trap.port}/track\r\n`;
  answers = (method) =>
    ({
      DESCRIBE: ['200 OK', `Content-Type: application/sdp\r\nContent-Base: rtsp://127.0.0.2:${trap.port}/\r\n`, sdp],
      SETUP: [
        '200 OK',
        `Session: 1\r\nTransport: RTP/AVP/UDP;unicast;source=127.0.0.2;server_port=${udpTrap.port}-${udpTrap.port + 1};client_port=5000-5001\r\n`,
      ],
    })[method] ?? ['200 OK', 'Public: OPTIONS, DESCRIBE, SETUP, PLAY\r\nSession: 1\r\n'];
  await refused(url, /./, { engine: 'ffmpeg' });
  server.close();
});
