// The simulated cameras themselves: players that are not ours must be able to read them, and each fault must do
// what the README says, or the tests that rest on them show nothing.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { connect } from 'node:tls';
import { promisify } from 'node:util';

import { Cameras, split } from './lib/cameras.mjs';
import { sleep, until } from './lib/gateway.mjs';

const run = promisify(execFile);
const secret = 'p@ss:/#%word';
let cameras;

before(async () => {
  cameras = await Cameras.start({
    config: {
      cameras: [
        { name: 'basic', clip: 'plain', auth: 'basic', password: secret },
        { name: 'digest', clip: 'plain', auth: 'digest', password: secret },
        { name: 'sha256', clip: 'plain', auth: 'digest-sha256', qop: true, password: secret },
        { name: 'all', clip: 'plain', auth: 'all', password: secret, stale_every: 2 },
        { name: 'bundled', clip: 'h265', aggregate: true },
        { name: 'mute-sdp', clip: 'plain', no_sprop: true },
        { name: 'short', clip: 'plain', timeout: 1, keepalive: 'get_parameter' },
        { name: 'tcp-only', clip: 'plain', transports: 'tcp' },
        { name: 'six', clip: 'plain', listen: '[::1]:0' },
        { name: 'sealed', clip: 'plain', listen: '127.0.0.1:0', tls: true },
      ],
    },
    load: 3,
    tls: true,
  });
});
after(() => cameras.stop());

async function probe(path, transport = 'tcp', who = undefined) {
  const { stdout } = await run(
    'ffprobe',
    ['-v', 'error', '-analyzeduration', '1500000', '-rtsp_transport', transport, '-of', 'json', '-show_entries', 'stream=codec_name,width,height,sample_rate', cameras.url(path, who)],
    { timeout: 30_000 },
  );
  return JSON.parse(stdout).streams.map((s) => (s.width ? `${s.codec_name} ${s.width}x${s.height}` : `${s.codec_name} ${s.sample_rate}`));
}

/** Decodes some seconds with ffmpeg; how many pictures, and what it complained of. */
async function decode(path, transport, seconds, who = undefined) {
  const { stdout, stderr } = await run(
    'ffmpeg',
    ['-v', 'error', '-rtsp_transport', transport, '-i', cameras.url(path, who), '-an', '-t', String(seconds), '-f', 'framemd5', '-'],
    { timeout: 40_000, maxBuffer: 1 << 24 },
  );
  const lines = stdout.split('\n').filter((line) => line && !line.startsWith('#'));
  return { frames: lines.length, different: new Set(lines.map((line) => line.split(',').at(-1))).size, complaints: stderr };
}

/** A small RTSP client: requests, and the interleaved packets that come in between. */
class Viewer {
  constructor(path) {
    this.path = path;
    this.url = cameras.url(path);
    this.cseq = 0;
    this.packets = [];
    this.garbage = 0;
    this.bytes = Buffer.alloc(0);
    this.answers = [];
    const { hostname, port } = new URL(this.url.replace('rtsp:', 'http:'));
    this.socket = createConnection({ host: hostname.replace(/[[\]]/g, ''), port: Number(port) });
    this.closed = new Promise((done) => this.socket.once('close', (bad) => done((this.ended = bad ? 'reset' : 'closed'))));
    this.socket.on('error', () => {});
    this.socket.on('data', (data) => this.take(data));
  }

  take(data) {
    this.bytes = Buffer.concat([this.bytes, data]);
    while (this.bytes.length >= 4) {
      if (this.bytes[0] === 0x24) {
        const size = this.bytes.readUInt16BE(2);
        if (this.bytes.length < 4 + size) return;
        const packet = this.bytes.subarray(4, 4 + size);
        if (this.bytes[1] === 0) {
          this.packets.push({
            marker: Boolean(packet[1] & 0x80),
            type: packet[12] & 0x1f,
            sequence: packet.readUInt16BE(2),
            timestamp: packet.readUInt32BE(4),
            ssrc: packet.readUInt32BE(8),
          });
        }
        this.bytes = this.bytes.subarray(4 + size);
      } else if (this.bytes.subarray(0, 4).toString() === 'RTSP') {
        const end = this.bytes.indexOf('\r\n\r\n');
        if (end < 0) return;
        const head = this.bytes.subarray(0, end).toString();
        const size = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? 0);
        if (this.bytes.length < end + 4 + size) return;
        this.answers.push({ status: Number(head.split(' ')[1]), head, body: this.bytes.subarray(end + 4, end + 4 + size).toString() });
        this.bytes = this.bytes.subarray(end + 4 + size);
      } else {
        this.garbage++;
        this.bytes = this.bytes.subarray(1);
      }
    }
  }

  async ask(method, { url = this.url, ...headers } = {}) {
    const lines = Object.entries({ CSeq: ++this.cseq, ...(this.session ? { Session: this.session } : {}), ...headers });
    const before = this.answers.length;
    this.socket.write(`${method} ${url} RTSP/1.0\r\n${lines.map(([k, v]) => `${k}: ${v}`).join('\r\n')}\r\n\r\n`);
    const answer = await until(() => this.answers[before] ?? this.ended, 5000, `${method} ${this.path} is answered`);
    if (typeof answer === 'string') throw new Error(`${method} ${this.path}: the connection was ${answer}`);
    this.session ??= /^session: *([^;\r]+)/im.exec(answer.head)?.[1];
    return answer;
  }

  async play(transport = 'RTP/AVP/TCP;unicast;interleaved=0-1') {
    assert.equal((await this.ask('DESCRIBE')).status, 200);
    assert.equal((await this.ask('SETUP', { url: `${this.url}/trackID=0`, Transport: transport })).status, 200);
    assert.equal((await this.ask('PLAY')).status, 200);
    return this;
  }

  /** Waits for so many more video packets. */
  more(count, ms = 4000) {
    const target = this.packets.length + count;
    return until(() => this.packets.length >= target, ms, `${count} more packets of ${this.path}`);
  }

  close() {
    this.socket.destroy();
  }
}

test('ffprobe reads every clip over TCP and UDP', async () => {
  const expected = [
    ['plain', 'tcp', 'h264 320x180'],
    ['plain', 'udp', 'h264 320x180'],
    ['h265', 'tcp', 'hevc 320x180'],
    ['h265', 'udp', 'hevc 320x180'],
    ['aac', 'tcp', 'h264 320x180', 'aac 32000'],
    ['aac', 'udp', 'h264 320x180', 'aac 32000'],
    ['plain/sub', 'tcp', 'h264 160x90'],
    ['bframes', 'tcp', 'h264 320x180'],
    ['bundled', 'tcp', 'hevc 320x180'],
    ['mute-sdp', 'tcp', 'h264 320x180'],
    ['load/2', 'tcp', 'h264 320x180'],
    ['six', 'tcp', 'h264 320x180'],
  ];
  await Promise.all(expected.map(async ([path, transport, ...streams]) =>
    assert.deepEqual(await probe(path, transport), streams, `${path} over ${transport}`)));
});

test('every picture decodes, and the clip goes on over its end', async () => {
  await Promise.all([['plain', 'tcp'], ['bframes', 'tcp'], ['h265', 'udp']].map(async ([path, transport]) => {
    const { frames, different, complaints } = await decode(path, transport, 11); // a clip is 10 s long
    assert.equal(complaints, '', `${path} over ${transport}`);
    assert.ok(frames >= 150 && frames <= 170, `${path}: ${frames} frames in 11 s of 15 a second`);
    assert.ok(different > 60, `${path}: ${different} different pictures`);
  }));
});

test('RTSPS: its certificate is the one it tells of, and players read through it', async () => {
  const { host, port } = split(cameras.own.sealed);
  const authority = readFileSync(cameras.authority);
  const seen = await new Promise((done, failed) => {
    const socket = connect({ host, port, ca: authority, servername: 'localhost' }, () => {
      done(socket.getPeerCertificate().fingerprint256.replaceAll(':', '').toLowerCase());
      socket.destroy();
    }).once('error', failed);
  });
  assert.equal(seen, cameras.fingerprint);
  await Promise.all([
    probe('sealed').then((streams) => assert.deepEqual(streams, ['h264 320x180'])),
    probe('aac', 'tcp', { tls: true }).then((streams) => assert.deepEqual(streams, ['h264 320x180', 'aac 32000'])),
    decode('h265', 'tcp', 3, { tls: true }).then(({ frames, complaints }) => {
      assert.equal(complaints, '');
      assert.ok(frames >= 40, `${frames} frames in 3 s`);
    }),
  ]);
  const { stdout } = await run('ffprobe', ['-v', 'error', '-tls_verify', '1', '-ca_file', cameras.authority, '-show_entries',
    'stream=codec_name', '-of', 'csv=p=0', cameras.url('sealed')], { timeout: 20_000 });
  assert.equal(stdout.trim(), 'h264');
});

test('move: the old address refuses, the new one plays', async () => {
  const before = cameras.own.six;
  await cameras.add({ name: 'roams', clip: 'plain', listen: '127.0.0.1:0' });
  const old = cameras.own.roams;
  assert.deepEqual(await probe('roams'), ['h264 320x180']);
  const { port } = await new Promise((done) => {
    const holder = createServer().listen(0, '127.0.0.1', () => {
      const address = holder.address();
      holder.close(() => done(address));
    });
  });
  await cameras.order({ do: 'move', camera: 'roams', listen: `127.0.0.1:${port}` });
  await assert.rejects(probe('roams'), /refused/);
  cameras.own.roams = `127.0.0.1:${port}`;
  assert.deepEqual(await probe('roams'), ['h264 320x180']);
  assert.notEqual(old, cameras.own.roams);
  assert.equal(cameras.own.six, before);
  assert.match((await cameras.ask({ do: 'move', camera: 'plain', listen: '127.0.0.1:0' })).error, /of its own/);
});

test('GStreamer reads it too', async () => {
  const { stdout } = await run(
    'gst-launch-1.0',
    ['-q', 'rtspsrc', `location=${cameras.url('plain')}`, 'protocols=tcp', 'latency=0', '!', 'rtph264depay', '!', 'h264parse', '!',
      'identity', 'eos-after=20', '!', 'fakesink', 'sync=false', 'dump=true'],
    { timeout: 30_000, maxBuffer: 1 << 24 },
  );
  assert.ok(stdout.length > 1000);
});

test('passwords: Basic, Digest with MD5, and nobody without', async () => {
  const who = { username: 'admin', password: secret };
  await Promise.all(['basic', 'digest', 'all'].map(async (path) => {
    assert.deepEqual(await probe(path, 'tcp', who), ['h264 320x180'], path);
    await assert.rejects(probe(path), /401/, path);
    await assert.rejects(probe(path, 'tcp', { username: 'admin', password: 'wrong' }), /401/, path);
  }));
});

test('Digest with SHA-256 and qop', async () => {
  const viewer = new Viewer('sha256');
  const refused = await viewer.ask('DESCRIBE');
  const [, realm, nonce] = /Digest realm="([^"]+)", nonce="([0-9a-f]+)", algorithm=SHA-256, qop="auth"/.exec(refused.head);
  const sha = (text) => createHash('sha256').update(text).digest('hex');
  const answerTo = (password) => {
    const response = sha(`${sha(`admin:${realm}:${password}`)}:${nonce}:00000001:c0ffee:auth:${sha(`DESCRIBE:${viewer.url}`)}`);
    return `Digest username="admin", realm="${realm}", nonce="${nonce}", uri="${viewer.url}", algorithm=SHA-256, ` +
      `qop=auth, nc=00000001, cnonce="c0ffee", response="${response}"`;
  };

  assert.equal(refused.status, 401);
  assert.equal((await viewer.ask('DESCRIBE', { Authorization: answerTo(secret) })).status, 200);
  assert.equal((await viewer.ask('DESCRIBE', { Authorization: answerTo('wrong') })).status, 401);
  viewer.close();
});

test('stall: nothing comes, the session stays, then it goes on', async () => {
  const viewer = await new Viewer('plain').play();
  await viewer.more(20);
  await cameras.order({ do: 'stall', camera: 'plain', seconds: 2 });
  await sleep(300);
  const stalled = viewer.packets.length;
  await sleep(1200);
  assert.equal(viewer.packets.length, stalled);
  assert.equal((await viewer.ask('GET_PARAMETER')).status, 200);
  await viewer.more(15);
  viewer.close();
});

test('drop and refuse: RST, and nobody gets in until it is over', async () => {
  const viewer = await new Viewer('plain').play();
  await viewer.more(5);
  await cameras.order({ do: 'drop', camera: 'plain' });
  assert.equal(await viewer.closed, 'reset');
  await cameras.order({ do: 'refuse', camera: 'plain', seconds: 1 });
  const refused = new Viewer('plain');
  await assert.rejects(refused.ask('OPTIONS'));
  assert.equal(refused.ended, 'reset');
  await sleep(1100);
  const back = await new Viewer('plain').play();
  await back.more(5);
  back.close();
});

test('blackhole: accepts, and says nothing; old sessions end with it', async () => {
  const viewer = await new Viewer('plain').play();
  await viewer.more(5);
  await cameras.order({ do: 'blackhole', camera: 'plain', seconds: 6 });
  const before = viewer.packets.length;
  const second = new Viewer('plain');
  await assert.rejects(second.ask('OPTIONS')); // not within 5 s
  assert.equal(second.ended, undefined);
  assert.ok(viewer.packets.length - before < 5);
  assert.equal(await viewer.closed, 'reset');
  second.close();
});

test('garbage comes between frames, and nothing is lost by it', async () => {
  const viewer = await new Viewer('plain').play();
  await viewer.more(5);
  await cameras.order({ do: 'garbage', camera: 'plain', bytes: 300, frames: 4 });
  await until(() => viewer.garbage >= 1200, 4000, '4 times 300 bytes of garbage');
  await viewer.more(20);
  assert.equal(viewer.garbage, 1200);
  const gaps = viewer.packets.filter((p, i) => i > 0 && p.sequence !== ((viewer.packets[i - 1].sequence + 1) & 0xffff));
  assert.equal(gaps.length, 0);
  viewer.close();
});

test('timestamps jump and wrap, SSRC and sequence begin anew', async () => {
  const viewer = await new Viewer('plain').play();
  const jump = () => {
    const [a, b] = viewer.packets.slice(-2);
    return (b.timestamp - a.timestamp) | 0;
  };
  const biggest = (from) => viewer.packets.slice(from).reduce((big, p, i, all) => {
    const step = i > 0 ? (p.timestamp - all[i - 1].timestamp) | 0 : 0;
    return Math.abs(step) > Math.abs(big) ? step : big;
  }, 0);
  await viewer.more(20);
  assert.ok(Math.abs(jump()) <= 6000);
  for (const seconds of [1000, -500]) {
    const from = viewer.packets.length - 1;
    await cameras.order({ do: 'jump_timestamps', camera: 'plain', seconds });
    await viewer.more(25);
    assert.ok(Math.abs(biggest(from) - seconds * 90000) <= 6000, `a jump of ${seconds} s, not ${biggest(from) / 90000}`);
  }
  await cameras.order({ do: 'wrap_timestamps', camera: 'plain', seconds: 1 });
  await until(() => viewer.packets.some((p, i, all) => i > 0 && all[i - 1].timestamp > 0xfff00000 && p.timestamp < 0x100000), 4000, 'a wrap');
  const { ssrc } = viewer.packets.at(-1);
  await cameras.order({ do: 'reset_ssrc', camera: 'plain' });
  await until(() => viewer.packets.at(-1).ssrc !== ssrc, 2000, 'another SSRC');
  await cameras.order({ do: 'reset_sequence', camera: 'plain' });
  await until(() => viewer.packets.some((p, i, all) => i > 0 && p.ssrc === all[i - 1].ssrc && p.sequence !== ((all[i - 1].sequence + 1) & 0xffff)), 2000, 'another sequence');
  viewer.close();
});

test('change_params: another size goes on, another codec ends the session', async () => {
  const viewer = await new Viewer('plain').play();
  await viewer.more(5);
  await cameras.order({ do: 'change_params', camera: 'plain', clip: 'wide' });
  assert.deepEqual(await probe('plain'), ['h264 640x360']);
  await viewer.more(5);
  assert.equal(viewer.ended, undefined);
  await cameras.order({ do: 'change_params', camera: 'plain', clip: 'h265' });
  assert.equal(await viewer.closed, 'reset');
  assert.deepEqual(await probe('plain'), ['hevc 320x180']);
  await cameras.order({ do: 'change_params', camera: 'plain', clip: 'plain' });
  assert.match((await cameras.ask({ do: 'change_params', camera: 'plain', clip: '../x' })).error, /clip/);
});

test('no_sprop, wrong_password and clear', async () => {
  const sdp = async () => (await new Viewer('plain').ask('DESCRIBE')).body;
  assert.match(await sdp(), /sprop-parameter-sets=/);
  await cameras.order({ do: 'no_sprop', camera: 'plain' });
  assert.doesNotMatch(await sdp(), /sprop/);
  await cameras.order({ do: 'wrong_password', camera: 'digest' });
  await assert.rejects(probe('digest', 'tcp', { username: 'admin', password: secret }), /401/);
  await cameras.order({ do: 'clear' });
  assert.match(await sdp(), /sprop-parameter-sets=/);
  assert.deepEqual(await probe('digest', 'tcp', { username: 'admin', password: secret }), ['h264 320x180']);
});

test('loss over UDP is counted; burst and endless come at once', async () => {
  await cameras.order({ do: 'loss', camera: 'wide', percent: 30 });
  await run('ffmpeg', ['-v', 'quiet', '-rtsp_transport', 'udp', '-i', cameras.url('wide'), '-c', 'copy', '-t', '2', '-f', 'null', '-'], { timeout: 20_000 });
  assert.ok((await cameras.stats('wide')).packets_lost > 5);
  await cameras.order({ do: 'loss', camera: 'wide', percent: 0 });

  const viewer = await new Viewer('wide').play();
  await viewer.more(5);
  let begun = viewer.packets.filter((p) => p.marker).length;
  await cameras.order({ do: 'burst', camera: 'wide', seconds: 8 });
  await sleep(1000);
  assert.ok(viewer.packets.filter((p) => p.marker).length - begun >= 8 * 15);
  begun = viewer.packets.length;
  await cameras.order({ do: 'endless', camera: 'wide', bytes: 700_000 });
  await until(() => viewer.packets.slice(begun).filter((p) => p.type === 28 && !p.marker).length >= 500, 5000, '700,000 bytes of one unit');
  viewer.close();
});

/** Sequence numbers of a viewer over UDP, in the order they come. */
async function datagrams(path) {
  const viewer = new Viewer(path);
  const sockets = [];
  const bind = (port) => new Promise((done, failed) => {
    const socket = createSocket('udp4').once('error', failed).bind(port, '127.0.0.1', () => done(socket));
  });
  while (sockets.length < 2) {
    const one = await bind(0);
    const { port } = one.address();
    const two = port % 2 === 0 && await bind(port + 1).catch(() => null);
    if (two) sockets.push(one, two);
    else one.close();
  }
  const seen = [];
  const { port } = sockets[0].address();
  sockets[0].on('message', (packet) => seen.push(packet.readUInt16BE(2)));
  await viewer.play(`RTP/AVP;unicast;client_port=${port}-${port + 1}`);
  return { seen, close: () => [viewer, ...sockets].forEach((one) => one.close()) };
}

test('UDP: packets overtake each other, come twice, come late, and none of them is lost', async () => {
  const { seen, close } = await datagrams('wide');
  const after = (a, b) => ((a - b) << 16) >> 16;
  const during = async (order) => {
    await until(() => seen.length > 20, 4000, 'packets come');
    seen.length = 0;
    await cameras.order({ camera: 'wide', ...order });
    await until(() => seen.length > 300, 15_000, '300 packets');
    await cameras.order({ ...order, camera: 'wide', percent: 0 });
    await sleep(1300); // what was held has come
    return seen.splice(0);
  };
  const gaps = (all) => {
    const sorted = [...new Set(all.map((n) => after(n, all[0])))].sort((a, b) => a - b);
    return sorted.slice(1).filter((n, i) => n !== sorted[i] + 1).length;
  };
  const behind = (all) => {
    let newest = all[0];
    return all.map((n) => (after(n, newest) > 0 ? (newest = n, 0) : -after(n, newest)));
  };

  const reordered = await during({ do: 'reorder', percent: 20, distance: 5 });
  assert.equal(gaps(reordered), 0);
  assert.ok(behind(reordered).filter((n) => n > 0).length > 20);
  assert.ok(Math.max(...behind(reordered)) >= 5 && Math.max(...behind(reordered)) <= 20, Math.max(...behind(reordered)));
  const twice = await during({ do: 'duplicate', percent: 20 });
  assert.equal(gaps(twice), 0);
  assert.ok(twice.length - new Set(twice).size > 20);
  const late = await during({ do: 'late', percent: 5, ms: 400 });
  assert.equal(gaps(late), 0);
  assert.ok(Math.max(...behind(late)) > 15, Math.max(...behind(late)));
  const counters = await cameras.stats('wide');
  assert.ok(counters.packets_reordered > 20 && counters.packets_duplicated > 20 && counters.packets_late > 5);
  close();
});

test('a session that nobody keeps alive ends; transports that it has not are refused', async () => {
  const viewer = await new Viewer('short').play();
  for (let i = 0; i < 4; i++) {
    await sleep(500);
    assert.equal((await viewer.ask('GET_PARAMETER')).status, 200);
  }
  assert.equal(viewer.ended, undefined);
  const options = setInterval(() => viewer.socket.write(`OPTIONS ${viewer.url} RTSP/1.0\r\nCSeq: 99\r\n\r\n`), 300);
  assert.equal(await viewer.closed, 'reset'); // OPTIONS does not count for this one
  clearInterval(options);
  const tcpOnly = new Viewer('tcp-only');
  assert.equal((await tcpOnly.ask('SETUP', { url: `${tcpOnly.url}/trackID=0`, Transport: 'RTP/AVP;unicast;client_port=40000-40001' })).status, 461);
  tcpOnly.close();
});

test('a viewer that does not read loses whole groups of pictures, counted, and others lose nothing', async () => {
  const slow = await new Viewer('wide').play();
  const good = await new Viewer('wide').play();
  slow.socket.pause();
  await good.more(5);
  for (let i = 0; i < 30; i++) {
    const target = good.packets.length + 300;
    await cameras.order({ do: 'burst', camera: 'wide', seconds: 20 });
    await until(() => good.packets.length >= target, 4000, 'the other viewer has read the burst');
  }
  await until(async () => (await cameras.stats('wide')).gops_dropped > 0, 5000, 'gops_dropped');
  await good.more(30);
  const steps = good.packets.map((p, i, all) => (i > 0 ? (p.timestamp - all[i - 1].timestamp) | 0 : 0));
  assert.ok(steps.every((step) => step === 0 || Math.abs(step - 6000) <= 1), 'every frame of the other viewer is there');
  slow.close();
  good.close();
});

test('orders that are wrong are answered with what is wrong', async () => {
  assert.match((await cameras.ask({ do: 'dance' })).error, /none of the orders/);
  assert.match((await cameras.ask({ do: 'stall', camera: 'nowhere' })).error, /no such camera/);
  assert.match((await cameras.ask({ do: 'loss', camera: 'plain', percent: 101 })).error, /0 to 100/);
  assert.match((await cameras.ask({ do: 'garbage', camera: 'plain', bytes: 0 })).error, /bytes/);
  assert.match((await cameras.ask('{"do":')).error, /JSON/);
  assert.match((await cameras.ask({ do: 'add', name: 'plain' })).error, /already/);
  await cameras.order({ do: 'add', name: 'late', clip: 'plain' });
  assert.deepEqual(await probe('late'), ['h264 320x180']);
});
