// The program's commands and the daemon's life: its start, its lock, its control socket, its end.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Gateway, program, until } from './lib/gateway.mjs';

/** Runs a command to its end: {code, out, err}. */
function run(args, { input = '', env = {} } = {}) {
  const done = spawnSync(program(), args, {
    input,
    encoding: 'utf8',
    timeout: 30_000,
    env: { ...process.env, ...env },
  });
  return { code: done.status, out: done.stdout, err: done.stderr };
}

const mode = (path) => statSync(path).mode & 0o777;

test('usage: what is wrong ends with 2, what fails with 1', () => {
  assert.equal(run([]).code, 2);
  assert.equal(run(['fly']).code, 2);
  assert.equal(run(['user', 'add']).code, 2);
  assert.equal(run(['serve', '--bogus']).code, 2);
  assert.equal(run(['version', '--config']).code, 2);
  const help = run(['help']);
  assert.equal(help.code, 0);
  for (const name of ['serve', 'seed load', 'camera import', 'user add', 'user password', 'backup', 'check', 'version'])
    assert.match(help.out, new RegExp(`^ +${name} `, 'm'));
  assert.match(run(['serve', '--help']).out, /\[http\]\n +listen/);
  assert.equal(JSON.parse(run(['version', '--json']).out).name, 'sharpeyes');
});

test('options: mistakes name file and line, variable or argument; --check prints what counts', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sharpeyes-test-'));
  try {
    const file = join(dir, 'a.ini');
    writeFileSync(file, '[http]\nworkers = 3\nlisten_on = x\n');
    const wrong = run(['serve', '--check', '--config', file]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.err, /a\.ini:3: unknown key "listen_on"/);
    writeFileSync(file, '[http]\nworkers = 3\n[store]\nreaders = 3\n');
    const right = run(['serve', '--check', '--config', file, '--set', 'store.readers=5'], {
      env: { SHARPEYES_HTTP_WORKERS: '6' },
    });
    assert.equal(right.code, 0);
    assert.match(right.out, /^workers = 6$/m);
    assert.match(right.out, /^readers = 5$/m);
    assert.match(run(['serve', '--check'], { env: { SHARPEYES_HTTP_WORKER: '6' } }).err, /SHARPEYES_HTTP_WORKER:/);
    for (const set of ['x', 'http.listen', 'listen=1.2']) assert.equal(run(['serve', '--check', '--set', set]).code, 2);
    for (const set of ['http.listen=nowhere', 'http.listen=127.0.0.1:99999', 'http.listen=::1:80', 'rtsp.listen=x',
      'ingest.allow=10.0.0.0/8,office', 'ingest.allow=10.0.0.0/33', 'store.url=mysql://x/y', 'store.url=/tmp/a.db']) {
      const value = run(['serve', '--check', '--set', set]);
      assert.equal(value.code, 1, set);
      assert.ok(value.err.includes(set.split('=')[0]), value.err);
    }
    const zone = run(['serve', '--check', '--set', 'gateway.timezone=Mars/Olympus']);
    assert.equal(zone.code, 1);
    assert.match(zone.err, /not a time zone/);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('one daemon a data directory; commands reach it, and the store when none runs', async () => {
  const gateway = await Gateway.start();
  const at = ['--set', `gateway.data_dir=${gateway.dir}`];
  try {
    assert.equal(mode(gateway.dir), 0o700);
    for (const name of ['control.sock', 'lock', 'secret.key', 'initial-admin-password', 'sharpeyes.db'])
      assert.equal(mode(join(gateway.dir, name)), 0o600, name);

    const second = run(['serve', ...at, '--set', 'http.listen=127.0.0.1:0']);
    assert.equal(second.code, 1);
    assert.match(second.err, new RegExp(`process ${gateway.process.pid}\\).*already uses`));

    const added = run(['user', 'add', 'lin', '--role', 'operator', '--name', '林', ...at], { input: 'canary-pass-1\n' });
    assert.equal(added.code, 0, added.err);
    assert.doesNotMatch(added.out + added.err, /canary/);
    const lin = await gateway.tokenOf('lin', 'canary-pass-1');
    assert.equal((await gateway.get('/api/v1/sessions/current', { token: lin })).status, 200);

    const again = run(['user', 'add', 'lin', ...at], { input: 'canary-pass-2\n' });
    assert.equal(again.code, 1);
    assert.match(again.err, /already a user lin/);
    assert.match(run(['user', 'add', 'mu', '--role', 'emperor', ...at]).err, /roles does not exist/);
    assert.match(run(['user', 'add', 'mu', ...at], { input: 'short\n' }).err, /8 to 128/);

    // A new password ends what the old one opened, at once.
    const changed = JSON.parse(run(['user', 'password', 'lin', '--json', ...at]).out);
    assert.equal(changed.password.length, 16);
    assert.equal((await gateway.get('/api/v1/sessions/current', { token: lin })).status, 401);
    await gateway.tokenOf('lin', changed.password);
    assert.equal(run(['user', 'password', 'nobody-here', ...at]).code, 1);

    const check = JSON.parse(run(['check', '--json', ...at]).out);
    assert.equal(check.ok, true);
    assert.ok(check.audit.entries >= 3);

    const backup = run(['backup', join(gateway.dir, 'copies'), '--json', ...at]);
    assert.equal(backup.code, 0, backup.err);
    const copy = JSON.parse(backup.out).path;
    assert.equal(mode(copy), 0o600);
    assert.doesNotMatch(readFileSync(copy, 'latin1'), /canary-pass|BEGIN KEY/);
    assert.equal(readFileSync(copy, 'latin1').includes(readFileSync(join(gateway.dir, 'secret.key'), 'latin1').trim()), false);
    assert.doesNotMatch(gateway.log, /canary/);

    gateway.keep = true;
    await gateway.stop();
    assert.equal(existsSync(join(gateway.dir, 'control.sock')), false);
    const alone = run(['user', 'add', 'wei', '--json', ...at]);
    assert.equal(alone.code, 0, alone.err);
    await gateway.restart();
    await gateway.tokenOf('wei', JSON.parse(alone.out).password);
    gateway.keep = false;
    await gateway.stop();
  } finally {
    await gateway.kill();
    rmSync(gateway.dir, { recursive: true, force: true });
  }
});

test('killed and started again: sessions and users are there, the audit chain is whole', async () => {
  const gateway = await Gateway.start({ keep: true });
  const at = ['--set', `gateway.data_dir=${gateway.dir}`];
  try {
    const before = gateway.token;
    assert.equal(run(['user', 'add', 'lin', ...at], { input: 'a-long-password\n' }).code, 0);
    await gateway.kill();
    assert.equal(existsSync(join(gateway.dir, 'control.sock')), true); // left by the kill, and no obstacle
    await gateway.restart();
    assert.equal((await gateway.get('/api/v1/sessions/current', { token: before })).status, 200);
    await gateway.tokenOf('lin', 'a-long-password');
    assert.equal(JSON.parse(run(['check', '--json', ...at]).out).ok, true);
  } finally {
    await gateway.kill();
    rmSync(gateway.dir, { recursive: true, force: true });
  }
});

test('a start that cannot be says what is wrong and leaves nothing behind', async () => {
  const gateway = await Gateway.start({ keep: true });
  const at = ['--set', `gateway.data_dir=${gateway.dir}`];
  try {
    // The port is taken: everything that was started before comes down again.
    const dir = mkdtempSync(join(tmpdir(), 'sharpeyes-test-'));
    try {
      const taken = run(['serve', '--set', `gateway.data_dir=${dir}`, '--set', `http.listen=${gateway.address}`]);
      assert.equal(taken.code, 1);
      assert.match(taken.err, new RegExp(gateway.address.replaceAll('.', '\\.')));
      assert.equal(existsSync(join(dir, 'control.sock')), false);
    } finally {
      rmSync(dir, { recursive: true });
    }
    await gateway.stop();
    writeFileSync(join(gateway.dir, 'sharpeyes.db'), 'this was a database once. '.repeat(1000));
    const damaged = run(['serve', ...at, '--set', 'http.listen=127.0.0.1:0']);
    assert.equal(damaged.code, 1);
    assert.match(damaged.err, /sharpeyes\.db is damaged .* backup/);
    rmSync(join(gateway.dir, 'sharpeyes.db'));
    writeFileSync(join(gateway.dir, 'secret.key'), 'x');
    const key = run(['serve', ...at, '--set', 'http.listen=127.0.0.1:0']);
    assert.equal(key.code, 1);
    assert.match(key.err, /secret\.key does not hold a key/);
  } finally {
    await gateway.kill();
    rmSync(gateway.dir, { recursive: true, force: true });
  }
});

test('a limit of open files too low for a start: it says so and ends, or it serves', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sharpeyes-test-'));
  const args = ['serve', '--set', `gateway.data_dir=${dir}`, '--set', 'http.listen=127.0.0.1:0'];
  const said = [];
  try {
    // One step of the start after the other is the one that finds no descriptor left.
    for (let files = 6; files <= 30; files += 2) {
      const limited = ['-c', `ulimit -n ${files}; exec timeout 5 "$0" "$@"`, program(), ...args];
      const { status, signal, stderr } = spawnSync('bash', limited, {
        encoding: 'utf8',
        timeout: 20_000,
        env: { ...process.env, ASAN_OPTIONS: 'detect_leaks=0' }, // looking for leaks takes descriptors, too
      });
      assert.equal(signal, null, stderr);
      if (status === 124) break; // it was ready, and timeout(1) ended it
      assert.equal(status, 1, `${files} files: ${stderr}`);
      assert.match(stderr, /^sharpeyes: .+/m);
      said.push(stderr);
    }
    assert.ok(said.length >= 3, said.join(''));
    assert.ok(said.filter((text) => /too many open files/i.test(text)).length >= 2, said.join(''));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('a database that was lost is missed aloud, a new installation is not', async () => {
  const gateway = await Gateway.start({ keep: true });
  try {
    assert.doesNotMatch(gateway.log, /was it lost/);
    await gateway.stop();
    for (const end of ['', '-wal', '-shm']) rmSync(join(gateway.dir, `sharpeyes.db${end}`), { force: true });
    await gateway.restart();
    assert.match(gateway.log, /warn access the database is empty, but the data directory .* is not new: was it lost/);
    await gateway.signIn(); // with a new first password
    await gateway.kill();
    await gateway.restart();
    assert.doesNotMatch(gateway.log, /was it lost/);
  } finally {
    await gateway.kill();
    rmSync(gateway.dir, { recursive: true, force: true });
  }
});

test('the control socket takes nonsense, silence and a flood without harm', async () => {
  const { connect } = await import('node:net');
  const gateway = await Gateway.start();
  const at = ['--set', `gateway.data_dir=${gateway.dir}`];
  const path = join(gateway.dir, 'control.sock');
  const ask = (bytes) =>
    new Promise((done, failed) => {
      let text = '';
      const socket = connect(path, () => socket.write(bytes));
      socket.setEncoding('utf8');
      socket.on('data', (piece) => (text += piece));
      socket.on('close', () => done(text));
      socket.on('error', () => done(text));
      socket.setTimeout(10_000, () => failed(new Error('no answer')));
    });
  try {
    assert.equal(JSON.parse(await ask('nonsense\n')).ok, false);
    assert.equal(JSON.parse(await ask('{"act":"fly"}\n')).ok, false);
    assert.equal(JSON.parse(await ask('{"act":"user.add"}\n')).ok, false);
    assert.equal(JSON.parse(await ask('[]\n')).ok, false);
    await ask('x'.repeat(3_000_000));
    assert.equal(JSON.parse(await ask('never a newline')).ok, false); // given up after five seconds
    assert.equal(run(['check', ...at]).code, 0);
  } finally {
    await gateway.stop();
  }
});

test('a data directory with a long name has a control socket too', async () => {
  const above = mkdtempSync(join(tmpdir(), 'sharpeyes-test-'));
  const dir = join(above, 'd'.repeat(90), 'e'.repeat(90)); // made by the start
  const gateway = await Gateway.start({ dataDir: dir });
  try {
    assert.equal(run(['check', '--set', `gateway.data_dir=${dir}`]).code, 0);
    await gateway.stop();
  } finally {
    await gateway.kill();
    rmSync(above, { recursive: true, force: true });
  }
});

test('SIGINT and SIGHUP end it as SIGTERM does', async () => {
  for (const signal of ['SIGINT', 'SIGHUP']) {
    const gateway = await Gateway.start();
    gateway.process.kill(signal);
    await until(() => gateway.exit, 10_000, `the end by ${signal}`);
    await gateway.stop();
  }
});
