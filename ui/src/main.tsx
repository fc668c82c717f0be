import { render } from "preact";

import { App } from "./app";
import "./style/all.css";

render(<App />, document.getElementById("page")!);
