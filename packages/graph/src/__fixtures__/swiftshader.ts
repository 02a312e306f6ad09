import { existsSync } from 'node:fs';

const DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json';
const LOADERS = ['/usr/lib/x86_64-linux-gnu/libvulkan.so.1', '/usr/lib/aarch64-linux-gnu/libvulkan.so.1'];

/** Vulkan on the processor, as Debian's chromium brings it: what a child process needs in its environment, or why there is none. */
export function swiftShader(): { env: Record<string, string> } | { reason: string } {
  if (!existsSync(DRIVER)) return { reason: `there is no ${DRIVER}: apt-get install -y chromium` };
  if (!LOADERS.some((path) => existsSync(path)))
    return { reason: 'there is no libvulkan.so.1: apt-get install -y libvulkan1' };
  return { env: { ...(process.env as Record<string, string>), VK_ICD_FILENAMES: DRIVER } };
}
