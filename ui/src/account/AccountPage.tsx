import { Link, Outlet } from "@tanstack/react-router";
import { Page } from "../parts/Page";
import classes from "../services/ServicePage.module.css";

/** One's own account: how one looks, how one signs in, and what programs use in one's name. */
export default function AccountPage() {
  return (
    <Page title="Your account" size={900}>
      <nav className={classes.tabs} aria-label="Parts of your account">
        <Link to="/account" activeOptions={{ exact: true }} className={classes.tab}>
          Profile
        </Link>
        <Link to="/account/security" className={classes.tab}>
          Security
        </Link>
        <Link to="/account/keys" className={classes.tab}>
          Keys
        </Link>
      </nav>
      <Outlet />
    </Page>
  );
}
