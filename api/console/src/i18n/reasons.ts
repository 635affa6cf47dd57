// The gateway says in English why a stream isn't there. What operators meet most often, in their language; each is
// written as the gateway's source has it, with its % conversions, which are given on in their order.

import { locale } from '.';

const chinese: [string, string][] = [
  ['%s refuses connections on port %u', '%s 拒绝在端口 %u 上连接'],
  ['%s does not answer on port %u', '%s 的端口 %u 没有应答'],
  ['%s cannot be reached: %s', '无法到达 %s：%s'],
  ['%s is at an address that ingest.allow does not list', '%s 的地址不在 ingest.allow 允许的网段内'],
  ['the name %s cannot be resolved', '无法解析主机名 %s'],
  ['the name %s was not resolved in time', '主机名 %s 未能及时解析'],
  ['the camera refused the user name or password', '摄像机拒绝了用户名或密码'],
  ['the camera asks for a user name and password, and none is set', '摄像机要求用户名和密码，但没有设置'],
  ['the camera asks for a way of signing in that is not supported', '摄像机要求的登录方式不受支持'],
  ['the camera knows no such stream (404): check the URL\'s path', '摄像机没有这个码流（404）：请检查地址中的路径'],
  ['the camera forbids this stream (403)', '摄像机禁止访问此码流（403）'],
  ['the camera has no room for another viewer (%u)', '摄像机的连接数已满（%u）'],
  ['the camera answered with error %u', '摄像机返回错误 %u'],
  ['the camera closed the connection', '摄像机关闭了连接'],
  ['the connection to the camera broke: %s', '与摄像机的连接中断：%s'],
  ['the camera ended the stream', '摄像机结束了码流'],
  ['the camera fell silent', '摄像机不再发送数据'],
  ['the camera cannot be reached any more', '无法再到达摄像机'],
  ['the camera answers but sends no video', '摄像机有应答，但不发送视频'],
  ['the camera accepts the connection but does not answer %s', '摄像机接受连接，但不应答 %s'],
  ['the camera\'s description of the stream cannot be read', '无法读懂摄像机对码流的描述'],
  ['the camera\'s certificate is not trusted (%s): its SHA-256 is %s', '摄像机的证书不受信任（%s）：其 SHA-256 为 %s'],
  ['the TLS handshake with the camera failed: %s', '与摄像机的 TLS 握手失败：%s'],
  ['that port speaks HTTP, not RTSP', '该端口是 HTTP 服务，不是 RTSP'],
  ['%.1f %% of the packets were lost over UDP: going on over TCP', 'UDP 丢包 %.1f %%，已改用 TCP'],
  ['its password does not open: was secret.key replaced? Set the password again', '无法解开已存的密码：secret.key 是否被更换？请重新设置密码'],
  [
    'the password in its URL does not open: was secret.key replaced? Write the whole URL again',
    '无法解开地址中的密码：secret.key 是否被更换？请重新填写完整地址',
  ],
];

const CONVERSION = /%(?:\.\d+)?[sudf]/g;
const patterns = chinese.map(([english, words]) => {
  const parts = english.split(CONVERSION).map((part) => part.replace('%%', '%').replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return { english: new RegExp(`^${parts.join('(.+?)')}$`), words };
});

/** Why a stream isn't there, in the language in use where it is known in it, else as the gateway says it. */
export function reasonWords(reason: string): string {
  if (locale.value !== 'zh-CN') return reason;
  for (const { english, words } of patterns) {
    const found = english.exec(reason);
    if (found === null) continue;
    let next = 1;
    return words.replace(CONVERSION, () => found[next++] ?? '').replace('%%', '%');
  }
  return reason;
}
