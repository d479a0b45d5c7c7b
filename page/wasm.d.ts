/** The bundler inlines a WebAssembly file as a `data:` URL. */
declare module '*.wasm' {
  const address: string;
  export = address;
}
