export default function Callback() {
  return null // the provider shows the page where the sign-in began
}
