import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { protocolVersion } from './wire';

function versionIn(folder: string): string {
  const text = readFileSync(join(folder, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** The answer to kernel_info_request. */
export function kernelInfo(): object {
  const version = versionIn(join(__dirname, '../..'));
  const typescript = versionIn(join(require.resolve('typescript'), '../..'));
  return {
    status: 'ok',
    protocol_version: protocolVersion,
    implementation: 'cifar10-fast',
    implementation_version: version,
    language_info: {
      name: 'typescript',
      version: typescript,
      mimetype: 'text/typescript',
      file_extension: '.ts',
      pygments_lexer: 'typescript',
      // One name for JupyterLab, the other two for Jupyter Notebook before version 7.
      codemirror_mode: { mode: 'typescript', name: 'javascript', typescript: true },
      nbconvert_exporter: 'script',
    },
    banner: `cifar10-fast ${version}: TypeScript ${typescript} in tslab, Node ${process.versions.node}`,
    help_links: [{ text: 'TypeScript', url: 'https://www.typescriptlang.org/docs/' }],
    debugger: false,
    supported_features: [],
  };
}
