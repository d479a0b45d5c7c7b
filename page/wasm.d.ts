/** The bundler puts a WebAssembly file into the program, as a `data:` address. */
declare module '*.wasm' {
  const address: string;
  export = address;
}
