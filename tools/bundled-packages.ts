/** Packages that read a file beside their code, and the entries of them that contain it, as a bundle needs. */
export const selfContained = { "@platformatic/wasm-utils": "@platformatic/wasm-utils/bundled" };
