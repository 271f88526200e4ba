import { Link } from "@tanstack/react-router";
import classes from "../services/ServicePage.module.css";

/** Customers and the plans they can have. */
export function Tabs() {
  return (
    <nav className={classes.tabs} aria-label="Customers and plans">
      <Link to="/customers" activeOptions={{ exact: true, includeSearch: false }} className={classes.tab}>
        Customers
      </Link>
      <Link to="/customers/plans" className={classes.tab}>
        Plans
      </Link>
    </nav>
  );
}
