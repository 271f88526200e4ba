import { IconChevronRight } from "@tabler/icons-react";
import { Link, useMatches } from "@tanstack/react-router";
import { Fragment } from "react";
import { PLACES } from "../admin/places";
import classes from "./Frame.module.css";

/** Where I am, as a path back up. */
export function Where() {
  const last = useMatches().at(-1);
  const path = last?.pathname ?? "/";
  const params = (last?.params ?? {}) as { ref?: string; id?: string };
  const steps: { to: string; label: string }[] = [];
  if (path.startsWith("/services")) steps.push({ to: "/services", label: "Services" });
  else if (path.startsWith("/deploy"))
    steps.push({ to: "/services", label: "Services" }, { to: "/deploy", label: "Deploy" });
  else if (path.startsWith("/jobs")) steps.push({ to: "/services", label: "Services" }, { to: path, label: "Deploy" });
  else if (path.startsWith("/customers")) {
    steps.push({ to: "/customers", label: "Customers" });
    if (params.id) steps.push({ to: path, label: "Customer" });
    else if (path.endsWith("/plans")) steps.push({ to: path, label: "Plans" });
  } else if (path.startsWith("/admin")) {
    const place = PLACES.find((one) => path.startsWith(one.to));
    steps.push({ to: "/admin", label: "Admin" });
    if (place) steps.push({ to: place.to, label: place.label });
  } else if (path.startsWith("/account")) {
    steps.push({ to: "/account", label: "Your account" });
    if (path.endsWith("/security")) steps.push({ to: path, label: "Security" });
    else if (path.endsWith("/keys")) steps.push({ to: path, label: "Keys" });
  } else if (path.startsWith("/tunnels") || path.startsWith("/share")) {
    steps.push({ to: "/tunnels", label: "Tunnels" });
    if (params.id) steps.push({ to: path, label: path.startsWith("/share") ? "Enter" : "Tunnel" });
  } else steps.push({ to: "/", label: "Home" });
  if (params.ref) steps.push({ to: `/services/${params.ref}`, label: params.ref });
  return (
    <nav aria-label="Where you are" className={classes.where}>
      {steps.map(({ to, label }, index) => (
        <Fragment key={to}>
          {index > 0 && <IconChevronRight size={14} aria-hidden />}
          {index === steps.length - 1 ? (
            <span aria-current="page" className="cut">
              {label}
            </span>
          ) : (
            <Link to={to} activeOptions={{ exact: true }} activeProps={{ "aria-current": undefined }}>
              {label}
            </Link>
          )}
        </Fragment>
      ))}
    </nav>
  );
}
