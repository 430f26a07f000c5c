// npm's mjml and juice, for bench_mjml_juice.py. A first line with the MJML and the CSS as JSON;
// then, for each further line, the milliseconds of one run: "cpu wall bytes".
import { createInterface } from 'node:readline'
import { createRequire } from 'node:module'

// Resolve from the working directory, where the packages are installed.
const load = createRequire(`${process.cwd()}/`)
const mjml = load('mjml')
const juice = load('juice')
const mjml2html = mjml.default ?? mjml

let input
for await (const line of createInterface({ input: process.stdin })) {
  if (!input) {
    input = JSON.parse(line)
    continue
  }
  const cpu = process.cpuUsage()
  const start = process.hrtime.bigint()
  const { html } = await mjml2html(input.mjml)
  // Like newsletter: the document's own <style> stays as it is.
  const inlined = juice(html, {
    extraCss: input.css,
    applyStyleTags: false,
    removeStyleTags: false,
  })
  const wall = Number(process.hrtime.bigint() - start) / 1e6
  const used = process.cpuUsage(cpu)
  const size = Buffer.byteLength(inlined)
  console.log(`${(used.user + used.system) / 1000} ${wall} ${size}`)
}
