import { defineConfig } from "vite";

export default defineConfig({
  // Relative: the page works under whatever prefix Airflow is served.
  base: "./",
  build: {
    outDir: "../plugins/kitwai/web/static",
    emptyOutDir: true,
    target: "es2022",
    // Inlined files would be data: addresses, which the page's security policy does not allow.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  test: { include: ["test/**/*.test.ts"] },
} as Parameters<typeof defineConfig>[0]);
