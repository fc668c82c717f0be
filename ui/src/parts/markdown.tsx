// Markdown of a model card as elements. No HTML is ever set: what the card has of it is shown as
// text. Pictures are those of the version alone; links go to the web alone.

import { marked, type Token, type Tokens } from "marked";
import { Fragment, h, type ComponentChildren, type JSX } from "preact";

interface MarkdownProps {
  text: string;
  /** The address of a picture, null if there is none of that name. */
  picture: (name: string) => string | null;
}

export default function Markdown({ text, picture }: MarkdownProps): JSX.Element {
  return <div class="prose">{blocks(marked.lexer(text), picture)}</div>;
}

type Picture = MarkdownProps["picture"];

function blocks(tokens: Token[], picture: Picture): ComponentChildren[] {
  return tokens.map((token, index) => <Fragment key={index}>{block(token, picture)}</Fragment>);
}

function block(token: Token, picture: Picture): ComponentChildren {
  switch (token.type) {
    case "space":
      return null;
    case "heading":
      // The page has its own h1.
      return h(
        `h${Math.min(6, (token as Tokens.Heading).depth + 1)}`,
        null,
        inline(token.tokens, picture),
      );
    case "hr":
      return <hr />;
    case "code":
      return (
        <pre>
          <code>{(token as Tokens.Code).text}</code>
        </pre>
      );
    case "blockquote":
      return <blockquote>{blocks(token.tokens ?? [], picture)}</blockquote>;
    case "list": {
      const list = token as Tokens.List;
      return h(
        list.ordered ? "ol" : "ul",
        null,
        list.items.map((item, index) => <li key={index}>{blocks(item.tokens, picture)}</li>),
      );
    }
    case "table":
      return table(token as Tokens.Table, picture);
    case "paragraph":
      return <p>{inline(token.tokens, picture)}</p>;
    default:
      return inline([token], picture);
  }
}

function table(token: Tokens.Table, picture: Picture): JSX.Element {
  const titled = token.header.some((cell) => cell.text.trim() !== "");
  return (
    <div class="scroll" role="region" aria-label="Table" tabIndex={0}>
      <table>
        {titled && (
          <thead>
            <tr>
              {token.header.map((cell, index) => (
                <th scope="col" key={index}>
                  {inline(cell.tokens, picture)}
                </th>
              ))}
            </tr>
          </thead>
        )}
        <tbody>
          {token.rows.map((row, index) => (
            <tr key={index}>
              {row.map((cell, column) =>
                column === 0 ? (
                  <th scope="row" key={column}>
                    {inline(cell.tokens, picture)}
                  </th>
                ) : (
                  <td key={column}>{inline(cell.tokens, picture)}</td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function inline(tokens: Token[] | undefined, picture: Picture): ComponentChildren[] {
  return (tokens ?? []).map((token, index) => (
    <Fragment key={index}>{span(token, picture)}</Fragment>
  ));
}

function span(token: Token, picture: Picture): ComponentChildren {
  switch (token.type) {
    case "strong":
      return <strong>{inline(token.tokens, picture)}</strong>;
    case "em":
      return <em>{inline(token.tokens, picture)}</em>;
    case "del":
      return <del>{inline(token.tokens, picture)}</del>;
    case "codespan":
      return <code>{(token as Tokens.Codespan).text}</code>;
    case "br":
      return <br />;
    case "link": {
      const { href } = token as Tokens.Link;
      const content = inline(token.tokens, picture);
      return /^https?:\/\//i.test(href) ? (
        <a href={href} rel="noreferrer noopener">
          {content}
        </a>
      ) : (
        content
      );
    }
    case "image": {
      const { href, text } = token as Tokens.Image;
      const source = picture(href);
      return source === null ? text : <img src={source} alt={text} loading="lazy" />;
    }
    case "escape":
    case "text": {
      const { tokens: inner, text } = token as Tokens.Text;
      return inner ? inline(inner, picture) : text;
    }
    default:
      return "text" in token && token.type !== "html" ? String(token.text) : token.raw;
  }
}
